# identity.py: what names a key: certificates in a system store, IIS configurations, IIS 6 metabases
#
# Sources: X.509 and PKCS #1; MS-GPEF 2.2.1.2 (certificate blobs, KEY_PROV_INFO); wincrypt.h as
# documented (SIMPLEBLOB); published applicationHost.config files; a published MetaBase.xml listing for
# SessionKey.

import base64
import hashlib

from Cryptodome.Cipher import AES, ARC4

from formats import Refused, u32, wide

# ---- DER ----

SHA256_RSA, SHA1_RSA, RSA_KEY = (
    bytes.fromhex(text)
    for text in (
        "06092a864886f70d01010b0500",
        "06092a864886f70d0101050500",
        "06092a864886f70d0101010500",
    )
)
SHA256_INFO, SHA1_INFO, MD5_INFO = (
    bytes.fromhex(text)
    for text in (
        "3031300d060960864801650304020105000420",
        "3021300906052b0e03021a05000414",
        "3020300c06082a864886f70d020505000410",
    )
)
COMMON_NAME = bytes.fromhex("0603550403")
SERVER_AUTHENTICATION = bytes.fromhex(
    "301306 03551d25 040c 300a06082b06010505070301".replace(" ", "")
)


def der(tag, *parts):
    data = b"".join(parts)
    length = len(data)
    if length < 128:
        return bytes([tag, length]) + data
    size = (length.bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + length.to_bytes(size, "big") + data


def sequence(*parts):
    return der(0x30, *parts)


def integer(value):
    return der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def sign(key, info, hashed):
    """PKCS #1 block type 1 under the private key, big endian."""
    tail = b"\0" + info + hashed
    return key.private(b"\0\1" + b"\xff" * (key.size - 2 - len(tail)) + tail)


def certificate(key, subject, serial, begins, ends, sha1=False):
    """A self-signed certificate as Remote Desktop makes it; the times are like "20190102030405Z"."""
    algorithm = sequence(SHA1_RSA if sha1 else SHA256_RSA)
    name = sequence(der(0x31, sequence(COMMON_NAME, der(0x13, subject.encode()))))
    public = sequence(sequence(RSA_KEY), der(0x03, b"\0", sequence(integer(key.n), integer(key.e))))
    body = sequence(
        der(0xA0, integer(2)),
        integer(serial),
        algorithm,
        name,
        sequence(*(der(0x18, time.encode()) for time in (begins, ends))),
        name,
        public,
        der(0xA3, sequence(SERVER_AUTHENTICATION)),
    )
    if sha1:
        signature = sign(key, SHA1_INFO, hashlib.sha1(body).digest())
    else:
        signature = sign(key, SHA256_INFO, hashlib.sha256(body).digest())
    return sequence(body, algorithm, der(0x03, b"\0", signature))


# ---- Certificates in the registry ----

KEY_PROV_INFO, SHA1_HASH, FRIENDLY_NAME, KEY_IDENTIFIER, CERTIFICATE = 2, 3, 11, 20, 32


def provider_info(container, provider, key_spec, kind=1, flags=0x20):
    """Offsets of both names, type, CRYPT_MACHINE_KEYSET, no parameters, which key; then the names."""
    first = wide(container)
    return u32(28, 28 + len(first), kind, flags, 0, 0, key_spec) + first + wide(provider)


def store_blob(data, container, provider, key_spec, friendly=None, kind=1):
    elements = [(SHA1_HASH, hashlib.sha1(data).digest())]
    if container:
        elements.append((KEY_PROV_INFO, provider_info(container, provider, key_spec, kind)))
    if friendly:
        elements.append((FRIENDLY_NAME, wide(friendly)))
    elements += [(KEY_IDENTIFIER, hashlib.sha1(data[::-1]).digest()), (CERTIFICATE, data)]
    return b"".join(u32(kind, 1, len(value)) + value for kind, value in elements)


# ---- SIMPLEBLOB ----

CALG_AES_128, CALG_RC4, CALG_RSA_KEYX = 0x660E, 0x6801, 0xA400


def pad_key(key, session, noise):
    """PKCS #1 block type 2, big endian."""
    return b"\0\2" + noise.nonzero(key.size - 3 - len(session)) + b"\0" + session


def simple_blob(key, session, noise, algorithm=CALG_AES_128, block=None):
    """A session key under the public key; the ciphertext is little endian. `block`: instead of a
    padded one."""
    sealed = key.public(block or pad_key(key, session, noise))
    return b"\1\2\0\0" + u32(algorithm, CALG_RSA_KEYX) + sealed[::-1]


def open_simple_blob(key, blob, size=16):
    block = key.private(blob[12:][::-1])
    end = block.find(b"\0", 2)
    if block[:2] != b"\0\2" or end < 10 or len(block) - end - 1 != size:
        raise Refused("the session key does not open")
    return block[end + 1 :]


# ---- applicationHost.config ----


def protect_value(session, text, noise, zeros=False):
    """AES-128-CBC with a zero vector over 4 bytes and UTF-16 text; PKCS padding, or zero bytes."""
    plain = noise.bytes(4) + wide(text)
    fill = 16 - len(plain) % 16
    plain += bytes(fill) if zeros else bytes([fill]) * fill
    return base64.b64encode(AES.new(session, AES.MODE_CBC, bytes(16)).encrypt(plain)).decode()


def open_value(session, text):
    plain = AES.new(session, AES.MODE_CBC, bytes(16)).decrypt(base64.b64decode(text))
    return plain[4:].decode("utf-16-le").split("\0")[0]


AES_PROVIDER = (
    '<add name="%s" type="Microsoft.ApplicationHost.AesProtectedConfigurationProvider" description="Uses'
    ' an AES session key to encrypt and decrypt" keyContainerName="%s" cspProviderName="" useOAEP="false"'
    ' useMachineContainer="true" sessionKey="%s" />'
)
RSA_PROVIDER = (
    '<add name="%s" type="" description="Uses RsaCryptoServiceProvider to encrypt and decrypt"'
    ' keyContainerName="%s" cspProviderName="" useMachineContainer="true" useOAEP="false" />'
)
CNG_PROVIDER = (
    '<add name="%s" type="Microsoft.ApplicationHost.CngProtectedConfigurationProvider" description="Uses'
    ' Win32 Crypto CNG to encrypt and decrypt" keyContainerName="%s" useMachineContainer="true" />'
)
CONFIGURATION = """\ufeff<?xml version="1.0" encoding="UTF-8"?>
<!--

    IIS configuration sections.

-->
<configuration>
    <configSections>
        <section name="configProtectedData" allowDefinition="MachineOnly" overrideModeDefault="Deny" />
    </configSections>
    <configProtectedData>
        <providers>
%s
        </providers>
    </configProtectedData>
    <system.applicationHost>
        <applicationPools>
%s
            <applicationPoolDefaults managedRuntimeVersion="v4.0">
                <processModel identityType="ApplicationPoolIdentity" />
            </applicationPoolDefaults>
        </applicationPools>
    </system.applicationHost>
</configuration>
"""
POOL = """            <add name="%s" managedRuntimeVersion="v4.0">
                <processModel identityType="SpecificUser" userName="%s" password="[enc:%s:%s:enc]" />
            </add>"""


def configuration(providers, pools):
    """providers: lines as above; pools: (name, user, provider, value of [enc:])."""
    return CONFIGURATION % (
        "\n".join(" " * 12 + line for line in providers),
        "\n".join(POOL % pool for pool in pools),
    )


# ---- The metabase of IIS 6 ----

METABASE = """<?xml version ="1.0"?>
<configuration xmlns="urn:microsoft-catalog:XML_Metabase_V64_0">
<MBProperty>
<IIS_Global	Location ="."
		BINSchemaTimeStamp="248e296f33bfc201"
		ChangeNumber="443"
		HistoryMajorVersionNumber="6"
		SessionKey="%s"
		XMLSchemaTimeStamp="ea2a7f6f33bfc201"
	>
</IIS_Global>
<IIS_ROOT	Location ="/"
		AdminACL="%s"
	>
</IIS_ROOT>
</MBProperty>
</configuration>
"""


def session_key(signature, exchange, noise):
    """SessionKey: "IcKb", size of what follows, of the blob, of the signature, a SIMPLEBLOB,
    padding to 8, signature."""
    session = noise.bytes(16)
    blob = simple_blob(exchange, session, noise, CALG_RC4)
    signed = sign(signature, MD5_INFO, hashlib.md5(blob).digest())[::-1]
    body = blob + bytes(-len(blob) % 8) + signed
    return b"IcKb" + u32(8 + len(body), len(blob), len(signed)) + body, session


def metabase(signature, exchange, noise):
    data, session = session_key(signature, exchange, noise)
    secret = ARC4.new(session).encrypt(noise.bytes(48))
    return METABASE % (data.hex(), secret.hex())
