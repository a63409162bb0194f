# formats.py: what proof reads, written and read: noise, RSA, DPAPI, LSA secrets, key files
#
# Written from the published formats alone and from no line of keymend's C code, so that the one can be
# held against the other. tests/suites/proof checks it with values that others published for real files,
# and with impacket where impacket reads a format.
#
# Sources: MS-LSAD 5.1.2 (DES of LSA secrets), MS-GPEF 2.2.1.2.2.1 (KEY_PROV_INFO), wincrypt.h and
# bcrypt.h as documented (ALG_ID, RSAPUBKEY, BCRYPT_RSAKEY_BLOB), the public descriptions of DPAPI
# (Picod and Bursztein, "Reversing DPAPI"; Passcape, "DPAPI Secrets"), and real files.

import hashlib
import hmac
import struct
import uuid

from Cryptodome.Cipher import AES, ARC4, DES, DES3

RC4, TRIPLE_DES, AES_256 = 0x6801, 0x6603, 0x6610
SHA1, HMAC_SHA1, SHA512 = 0x8004, 0x8009, 0x800E
HASHES = {SHA1: hashlib.sha1, HMAC_SHA1: hashlib.sha1, SHA512: hashlib.sha512}
# Key and vector in bytes, bits as a blob tells them.
CIPHERS = {RC4: (16, 0, 128), TRIPLE_DES: (24, 8, 192), AES_256: (32, 16, 256)}
PROVIDER = uuid.UUID("df9d8cd0-1501-11d1-8c7a-00c04fc297eb")

# What a blob is mixed with, beside the master key, by whose blob it is.
EXPORT_ENTROPY = b"Hj1diQ6kpUx7VC4m\0"
CNG_PROPERTIES_ENTROPY = b"6jnkd5J3ZdQDtrsu\0"
CNG_KEY_ENTROPY = b"xT5rZW5qVVbrvpuA\0"


class Refused(Exception):
    """What was read does not open, or is not what it has to be."""


def u16(*numbers):
    return struct.pack("<%dH" % len(numbers), *numbers)


def u32(*numbers):
    return struct.pack("<%dI" % len(numbers), *numbers)


def wide(text):
    return text.encode("utf-16-le") + b"\0\0"


class Noise:
    """Bytes and numbers that look random and depend on a text alone."""

    def __init__(self, seed):
        self.seed, self.count, self.rest = seed.encode(), 0, b""

    def bytes(self, size):
        while len(self.rest) < size:
            self.rest += hashlib.sha512(self.seed + struct.pack("<Q", self.count)).digest()
            self.count += 1
        out, self.rest = self.rest[:size], self.rest[size:]
        return out

    def number(self, bits):
        return int.from_bytes(self.bytes((bits + 7) // 8), "big") >> (-bits % 8)

    def nonzero(self, size):
        return bytes(byte or 0x5A for byte in self.bytes(size))

    def guid(self):
        return str(uuid.UUID(bytes=self.bytes(16), version=4))


# ---- RSA ----


def _small_primes(limit):
    sieve = bytearray([1]) * limit
    for n in range(2, limit):
        if sieve[n]:
            yield n
            sieve[n * n :: n] = bytes(len(range(n * n, limit, n)))


SMALL = list(_small_primes(20000))


def is_prime(n):
    """Miller-Rabin with fixed bases: enough for numbers that nobody chose to deceive."""
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19):
        x = pow(base, odd, n)
        if x in (1, n - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def prime(noise, bits, e):
    """A prime of so many bits, its two highest set, with e having an inverse."""
    while True:
        start = noise.number(bits) | 3 << (bits - 2) | 1
        sieve = bytearray([1]) * (bits * 8)
        for small in SMALL[1:]:
            # start + 2 k = 0 (mod small)
            first = -start * ((small + 1) // 2) % small
            sieve[first::small] = bytes(len(range(first, len(sieve), small)))
        for k, alive in enumerate(sieve):
            n = start + 2 * k
            if alive and n.bit_length() == bits and (n - 1) % e and is_prime(n):
                return n


def _gcd(a, b):
    while b:
        a, b = b, a % b
    return a


class Rsa:
    """A key pair; `carmichael`: d is the inverse of e modulo lcm(p - 1, q - 1) instead of their
    product."""

    def __init__(self, seed, bits, e=65537, carmichael=False):
        noise = Noise("rsa %s %d %d" % (seed, bits, e))
        self.bits, self.e = bits, e
        self.p = prime(noise, bits // 2, e)
        self.q = self.p
        while self.q == self.p:
            self.q = prime(noise, bits - bits // 2, e)
        if self.p < self.q:
            self.p, self.q = self.q, self.p
        self.n, self.qinv = self.p * self.q, pow(self.q, -1, self.p)
        self.complete(carmichael)

    def complete(self, carmichael=False):
        phi = (self.p - 1) * (self.q - 1)
        if carmichael:
            phi //= _gcd(self.p - 1, self.q - 1)
        self.d = pow(self.e, -1, phi)
        self.dp, self.dq = self.d % (self.p - 1), self.d % (self.q - 1)

    def with_other_exponent(self):
        """The same modulus with another e and what belongs to that."""
        phi = (self.p - 1) * (self.q - 1)
        other = self.copy(e=next(e for e in SMALL[1:] if e != self.e and _gcd(e, phi) == 1))
        other.complete()
        return other

    def copy(self, **changes):
        other = object.__new__(Rsa)
        other.__dict__.update(self.__dict__)
        other.__dict__.update(changes)
        return other

    @property
    def size(self):
        return self.bits // 8

    def modulus(self):
        return self.n.to_bytes(self.size, "big")

    def public(self, block):
        return pow(int.from_bytes(block, "big"), self.e, self.n).to_bytes(self.size, "big")

    def private(self, block):
        return pow(int.from_bytes(block, "big"), self.d, self.n).to_bytes(self.size, "big")


def number(value, size):
    """A number as CryptoAPI writes it; what does not fit is cut, as only a damaged one would be."""
    return (value % (1 << (8 * size))).to_bytes(size, "little")


def rsa1(key):
    """Public blob of a key file: RSA1, length of the modulus with 8 bytes of padding, bits, bytes
    - 1, e, n."""
    return (
        b"RSA1"
        + u32(key.size + 8, key.bits, key.size - 1, key.e)
        + number(key.n, key.size)
        + bytes(8)
    )


def rsa2(key, behind=b""):
    """The private key inside a key file: as RSA1, then p q dp dq qinv (4 bytes of padding each)
    and d."""
    half = key.size // 2
    out = (
        b"RSA2"
        + u32(key.size + 8, key.bits, key.size - 1, key.e)
        + number(key.n, key.size)
        + bytes(8)
    )
    for value in (key.p, key.q, key.dp, key.dq, key.qinv):
        out += number(value, half) + bytes(4)
    return out + number(key.d, key.size) + bytes(8) + behind


def read_rsa2(data):
    if data[:4] != b"RSA2":
        raise Refused("no RSA2 blob")
    long, bits, _, e = struct.unpack_from("<4I", data, 4)
    size, half, at, found = bits // 8, long // 2, 20 + long, {}
    if long < size or len(data) < 20 + 2 * long + 5 * half:
        raise Refused("the RSA2 blob is cut off")
    found["n"] = int.from_bytes(data[20 : 20 + size], "little")
    for name in ("p", "q", "dp", "dq", "qinv"):
        found[name] = int.from_bytes(data[at : at + half], "little")
        at += half
    found["d"] = int.from_bytes(data[at : at + size], "little")
    return dict(found, e=e, bits=bits)


def bcrypt_rsa(key, private, full=False):
    """BCRYPT_RSAKEY_BLOB, big endian: RSA1 with e and n; RSA2 with e, n, p and q; RSA3 (full) with dp,
    dq, qinv and d behind them."""
    e = key.e.to_bytes((key.e.bit_length() + 7) // 8, "big")
    half = key.size // 2 if private else 0
    out = (
        (b"RSA3" if full else b"RSA2" if private else b"RSA1")
        + u32(key.bits, len(e), key.size, half, half)
        + e
        + key.modulus()
    )
    numbers = [(key.p, half), (key.q, half)] if private else []
    if full:
        numbers += [(value, half) for value in (key.dp, key.dq, key.qinv)] + [(key.d, key.size)]
    return out + b"".join(number(value, size)[::-1] for value, size in numbers)


# ---- DPAPI ----


def digest(kind, data):
    return HASHES[kind](data).digest()


def mac(kind, key, data):
    return hmac.new(key, data, HASHES[kind]).digest()


def derive(kind, secret, salt, rounds, size):
    """Microsoft's PBKDF2: each round hashes the running XOR, where the standard's hashes the last
    round."""
    block = HASHES[kind]().block_size
    key = secret if len(secret) <= block else digest(kind, secret)
    key = key.ljust(block, b"\0")
    inner, outer = (HASHES[kind](bytes(byte ^ pad for byte in key)) for pad in (0x36, 0x5C))

    def prf(data):
        one, two = inner.copy(), outer.copy()
        one.update(data)
        two.update(one.digest())
        return two.digest()

    out, index = b"", 1
    while len(out) < size:
        running = prf(salt + struct.pack(">I", index))
        width, total = len(running), int.from_bytes(running, "big")
        for _ in range(rounds - 1):
            total ^= int.from_bytes(prf(total.to_bytes(width, "big")), "big")
        out, index = out + total.to_bytes(width, "big"), index + 1
    return out[:size]


def crypt(cipher, key, vector, data, encrypt):
    if cipher == RC4:
        return ARC4.new(key).encrypt(data)
    module = {TRIPLE_DES: DES3, AES_256: AES}[cipher]
    if cipher == TRIPLE_DES:
        key = DES3.adjust_key_parity(key)
    machine = module.new(key, module.MODE_CBC, vector)
    return machine.encrypt(data) if encrypt else machine.decrypt(data)


def seal_master_key(key, secret, noise, kind, cipher, rounds, rc4_key=16):
    """One slot of a master key file: version 2, salt, rounds, hash, cipher, then encrypted: salt,
    HMAC, the key.

    The bytes that fill the last block stand before the key, which is always the last of all."""
    salt, inside = noise.bytes(16), noise.bytes(16)
    size, vector, _ = CIPHERS[cipher]
    size = rc4_key if cipher == RC4 else size
    plain = inside + mac(kind, mac(kind, secret, inside), key)
    plain += noise.bytes(-(len(plain) + len(key)) % (vector or 1)) + key
    keys = derive(kind, secret, salt, rounds, size + vector)
    sealed = crypt(cipher, keys[:size], keys[size:], plain, True)
    return u32(2) + salt + u32(rounds, kind, cipher) + sealed


def open_master_key(slot, secret, size=64):
    salt, (rounds, kind, cipher) = slot[4:20], struct.unpack_from("<3I", slot, 20)
    width, vector, _ = CIPHERS[cipher]
    keys = derive(kind, secret, salt, rounds, width + vector)
    plain = crypt(cipher, keys[:width], keys[width:], slot[32:], False)
    length = HASHES[kind]().digest_size
    if mac(kind, mac(kind, secret, plain[:16]), plain[-size:]) != plain[16 : 16 + length]:
        raise Refused("the master key does not open")
    return plain[-size:]


def master_key_file(guid, slots, policy=0, flags=6):
    """Version 2, GUID as 72 bytes of UTF-16, policy and flags, four lengths, then the four slots."""
    slots = (list(slots) + [b""] * 4)[:4]
    return (
        u32(2, 0, 0)
        + guid.encode("utf-16-le")
        + u32(0, policy, flags)
        + b"".join(struct.pack("<Q", len(slot)) for slot in slots)
        + b"".join(slots)
    )


def read_master_key_file(data):
    lengths, at, slots = struct.unpack_from("<4Q", data, 96), 128, []
    for length in lengths:
        slots.append(data[at : at + length])
        at += length
    return data[12:84].decode("utf-16-le"), slots


def mixed(kind, secret, salt, entropy, data, inside=None):
    """Session key and signature. With SHA-1 entropy and data go behind the inner hash into the
    outer one, which is no HMAC; with SHA-512 it is one over all three. `inside` chooses."""
    if kind == SHA512 if inside is None else inside:
        return mac(kind, secret, salt + entropy + data)
    block = HASHES[kind]().block_size
    secret = secret.ljust(block, b"\0")
    inner = digest(kind, bytes(byte ^ 0x36 for byte in secret) + salt)
    return digest(kind, bytes(byte ^ 0x5C for byte in secret) + inner + entropy + data)


def cipher_key(kind, hashed, size):
    """CryptDeriveKey: the hash, or where it is too short the hash of it under both pads."""
    if len(hashed) >= size:
        return hashed[:size]
    padded = hashed.ljust(HASHES[kind]().block_size, b"\0")
    return (
        digest(kind, bytes(byte ^ 0x36 for byte in padded))
        + digest(kind, bytes(byte ^ 0x5C for byte in padded))
    )[:size]


def protect(master, guid, data, description, noise, kind, cipher, entropy=b"", flags=4, how=None):
    """A DPAPI blob. It is signed from the master key's version to the end of the ciphertext.
    how: { cipher=, sign= (the entropy goes inside: true, false), ambiguous= (what is encrypted ends
    with a right padding in the other form too), nonsense= (it is encrypted with another key) }"""
    how = how or {}
    secret = digest(SHA1, master)
    size, vector, bits = CIPHERS[cipher]
    length = HASHES[kind]().digest_size
    width = 32 if kind == SHA512 else 16
    salt, second = noise.bytes(width), noise.bytes(width)
    if vector:
        fill = vector - len(data) % vector
        data += bytes([fill]) * fill
    inside = how.get("cipher", kind == SHA512)
    while True:
        key = cipher_key(kind, mixed(kind, secret, salt, entropy, b"", inside), size)
        if how.get("nonsense"):
            key = noise.bytes(len(key))
        sealed = crypt(cipher, key, bytes(vector), data, True)
        other = cipher_key(kind, mixed(kind, secret, salt, entropy, b"", not inside), size)
        if not how.get("ambiguous") or crypt(cipher, other, bytes(vector), sealed, False)[-1] == 1:
            break
        salt = noise.bytes(width)
    text = wide(description)
    signed = (
        u32(1)
        + uuid.UUID(guid).bytes_le
        + u32(flags, len(text))
        + text
        + u32(cipher, bits, len(salt))
        + salt
        + u32(0, kind, 8 * length, len(second))
        + second
        + u32(len(sealed))
        + sealed
    )
    return (
        u32(1)
        + PROVIDER.bytes_le
        + signed
        + u32(length)
        + mixed(kind, secret, second, entropy, signed, how.get("sign"))
    )


def read_blob(data):
    """The fields of a blob, each with its offset in `at`."""
    found, at = {"at": {}}, 20

    def take(name, size):
        nonlocal at
        if at + size > len(data):
            raise Refused("the blob is cut off in " + name)
        found["at"][name] = at
        at += size
        return data[at - size : at]

    def field(name):
        return struct.unpack("<I", take(name, 4))[0]

    def counted(name):
        found[name] = take(name, field("length of " + name))

    found["master key version"] = field("master key version")
    found["guid"] = str(uuid.UUID(bytes_le=take("guid", 16)))
    found["flags"] = field("flags")
    counted("description")
    found["cipher"], found["bits"] = field("cipher"), field("bits")
    counted("salt")
    counted("HMAC key")
    found["hash"], found["hash bits"] = field("hash"), field("hash bits")
    counted("HMAC")
    counted("data")
    found["signed"] = data[20:at]
    counted("signature")
    found["size"] = at
    return found


def unprotect(data, master, entropy=b""):
    blob, secret = read_blob(data), digest(SHA1, master)
    kind, cipher = blob["hash"], blob["cipher"]
    if mixed(kind, secret, blob["HMAC"], entropy, blob["signed"]) != blob["signature"]:
        raise Refused("the blob's signature is wrong")
    key = cipher_key(kind, mixed(kind, secret, blob["salt"], entropy, b""), blob["bits"] // 8)
    vector = CIPHERS[cipher][1]
    plain = crypt(cipher, key, bytes(vector), blob["data"], False)
    return plain[: -plain[-1]] if vector else plain


# ---- Boot key and LSA secrets ----

# The boot key's bytes stand in the class names of four keys of Control\Lsa, in this order.
BOOT_KEYS = ("JD", "Skew1", "GBG", "Data")
BOOT_ORDER = (8, 5, 4, 2, 11, 9, 13, 3, 0, 6, 1, 12, 14, 10, 15, 7)


def boot_classes(boot_key):
    scattered = bytearray(16)
    for i, place in enumerate(BOOT_ORDER):
        scattered[place] = boot_key[i]
    return {name: bytes(scattered[4 * i : 4 * i + 4]).hex() for i, name in enumerate(BOOT_KEYS)}


def boot_key(classes):
    scattered = bytes.fromhex("".join(classes[name] for name in BOOT_KEYS))
    return bytes(scattered[place] for place in BOOT_ORDER)


def des_key(seven):
    """Seven bytes as the eight of a DES key, 7 bits in each."""
    bits = int.from_bytes(seven, "big")
    return bytes((bits >> (49 - 7 * i) & 0x7F) << 1 for i in range(8))


def des_blocks(key, data, encrypt):
    """MS-LSAD 5.1.2: each block under the next seven bytes of the key, which begins anew when
    fewer are left."""
    out, rest = b"", key
    for at in range(0, len(data), 8):
        machine = DES.new(des_key(rest[:7]), DES.MODE_ECB)
        out += (machine.encrypt if encrypt else machine.decrypt)(data[at : at + 8])
        rest = rest[7:]
        if len(rest) < 7:
            rest = key[len(rest) :]
    return out


def lsa_aes(key, salt, data, encrypt):
    machine = AES.new(hashlib.sha256(key + salt * 1000).digest(), AES.MODE_ECB)
    return (machine.encrypt if encrypt else machine.decrypt)(data)


def lsa_record(key, key_id, plain, noise):
    """NT 6: version 1, id of the key it is under, algorithm 3, flags 0, salt, then length, 12
    bytes, the data."""
    salt = noise.bytes(32)
    data = u32(len(plain)) + bytes(12) + plain
    data += bytes(-len(data) % 16)
    return struct.pack(">I", 1) + key_id + u32(3, 0) + salt + lsa_aes(key, salt, data, True)


def read_lsa_record(key, record):
    plain = lsa_aes(key, record[28:60], record[60 : len(record) - len(record[60:]) % 16], False)
    return plain[16 : 16 + struct.unpack_from("<I", plain)[0]]


def policy_nt6(boot, lsa_key, noise, dpapi_system):
    """PolEKList: u32 3, the present key's id, u32 3, number of keys, then each: id, algorithm,
    size, the key."""
    key_id = noise.bytes(16)
    listed = u32(3) + key_id + u32(3, 1) + key_id + u32(3, len(lsa_key)) + lsa_key
    return {
        "PolEKList": lsa_record(boot, key_id, listed, noise),
        "PolRevision": u32(0x1000C),
        "DPAPI_SYSTEM": lsa_record(lsa_key, key_id, dpapi_system, noise),
    }


def read_policy_nt6(boot, policy):
    lsa_key = read_lsa_record(boot, policy["PolEKList"])[52:84]
    return lsa_key, read_lsa_record(lsa_key, policy["DPAPI_SYSTEM"])


def policy_nt5(boot, lsa_key, noise, dpapi_system):
    """PolSecretEncryptionKey: 12 bytes, 48 under RC4, 16 of salt. The secret: two lengths, 12,
    then DES."""
    salt = noise.bytes(16)
    sealed = ARC4.new(hashlib.md5(boot + salt * 1000).digest()).encrypt(
        noise.bytes(16) + lsa_key + noise.bytes(16)
    )
    plain = u32(len(dpapi_system), 1) + dpapi_system
    plain += bytes(-len(plain) % 8)
    secret = des_blocks(lsa_key, plain, True)
    return {
        "PolSecretEncryptionKey": u32(1, 1, 0) + sealed + salt,
        "PolRevision": u32(0x10005),
        "DPAPI_SYSTEM": u32(len(secret), len(secret), 12) + secret,
    }


def read_policy_nt5(boot, policy):
    value = policy["PolSecretEncryptionKey"]
    lsa_key = ARC4.new(hashlib.md5(boot + value[60:76] * 1000).digest()).encrypt(value[12:60])[
        16:32
    ]
    (size,) = struct.unpack_from("<I", policy["DPAPI_SYSTEM"])
    plain = des_blocks(lsa_key, policy["DPAPI_SYSTEM"][-size:], False)
    return lsa_key, plain[8 : 8 + struct.unpack_from("<I", plain)[0]]


# ---- Key files ----


def capi_file(container, signature, exchange):
    """Ten u32, then name, hash, and of each pair public, private and export part; each pair is
    three byte strings or None. The 20 bytes of the hash are there when a pair is."""
    name = container.encode("latin-1") + b"\0"
    sig, ex = signature or (b"", b"", b""), exchange or (b"", b"", b"")
    hashed = bytes(20) if signature or exchange else b""
    return (
        u32(
            2,
            0,
            len(name),
            len(sig[0]),
            len(sig[1]),
            len(ex[0]),
            len(ex[1]),
            len(hashed),
            len(sig[2]),
            len(ex[2]),
        )
        + name
        + hashed
        + sig[0]
        + sig[1]
        + sig[2]
        + ex[0]
        + ex[1]
        + ex[2]
    )


def read_capi_file(data):
    """Name, hash and the six parts by name; `at`: where each begins."""
    lengths = struct.unpack_from("<8I", data, 8)
    name, sig, sig_private, ex, ex_private, hashed, sig_export, ex_export = lengths
    if 40 + sum(lengths) != len(data):
        raise Refused("the size does not add up")
    at, found = 40, {"at": {}}
    for part, size in (
        ("name", name),
        ("hash", hashed),
        ("signature public", sig),
        ("signature private", sig_private),
        ("signature export", sig_export),
        ("exchange public", ex),
        ("exchange private", ex_private),
        ("exchange export", ex_export),
    ):
        found[part], found["at"][part] = data[at : at + size], at
        at += size
    return found


def cng_property(name, data, kind=0):
    text = name.encode("utf-16-le")
    return u32(20 + len(text) + len(data), kind, 0, len(text), len(data)) + text + data


def cng_file(container, public, properties, private):
    """u32 1, u32 0, size of the name, u16 1, u16 3 (a real RSA key's; a real AES key has 2, 1), three
    sizes, 16 zero bytes, then name, public properties and the two blobs."""
    text = container.encode("utf-16-le")
    return (
        u32(1, 0, len(text))
        + u16(1, 3)
        + u32(len(public), len(properties), len(private))
        + bytes(16)
        + text
        + public
        + properties
        + private
    )


def read_cng_file(data):
    (name,) = struct.unpack_from("<I", data, 8)
    public, properties, private = struct.unpack_from("<3I", data, 16)
    at, found = 44, {"at": {}}
    for part, size in (
        ("name", name),
        ("public", public),
        ("properties", properties),
        ("private", private),
    ):
        found[part], found["at"][part] = data[at : at + size], at
        at += size
    if at > len(data):
        raise Refused("the parts do not fit the file")
    return found
