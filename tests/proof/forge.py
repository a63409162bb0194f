# forge.py: makes the secrets, master keys, key files and what names them, of no real system
#
#   python3 tests/proof/forge.py [CACHE] < description.json > forged.json
#
# The same description gives the same bytes. RSA keys are kept in the folder CACHE, since they take
# most of the time. Bytes are hex in both documents. tests/lib/proof.lua describes the fields and makes
# volumes of them; what is wrong with a key, and the verdict that it must get, are decided here alone.

import hashlib
import json
import os
import sys

import formats
import identity
from formats import AES_256, HMAC_SHA1, RC4, SHA1, SHA512, TRIPLE_DES, Noise, Rsa

# How each Windows seals: policy, master key (hash, cipher, rounds), blobs (hash, cipher).
GENERATIONS = {
    "2000": ("nt5", (HMAC_SHA1, RC4, 1), (SHA1, RC4)),
    "xp": ("nt5", (HMAC_SHA1, TRIPLE_DES, 4000), (SHA1, TRIPLE_DES)),
    "vista": ("nt6", (HMAC_SHA1, TRIPLE_DES, 24000), (SHA1, TRIPLE_DES)),
    "7": ("nt6", (SHA512, AES_256, 5600), (SHA1, TRIPLE_DES)),
    "10": ("nt6", (SHA512, AES_256, 8000), (SHA512, AES_256)),
}
MASTER_CIPHERS = {
    "rc4": (HMAC_SHA1, RC4),
    "rc4-sha1": (SHA1, RC4),
    "3des": (HMAC_SHA1, TRIPLE_DES),
    "3des-sha1": (SHA1, TRIPLE_DES),
    "aes": (SHA512, AES_256),
}
BLOB_CIPHERS = {"rc4": (SHA1, RC4), "3des": (SHA1, TRIPLE_DES), "aes": (SHA512, AES_256)}
# The unknown bytes behind d in real private keys.
BEHIND = 136
GRAVITY = ("yes", "unknown", "no-master-key", "master-key-closed", "bad-signature", "mismatch")

PROVIDER_NAME = "Microsoft Strong Cryptographic Provider"
SCHANNEL_NAME = "Microsoft RSA SChannel Cryptographic Provider"


class Forge:
    def __init__(self, description, cache):
        self.given, self.cache, self.rsa_keys = description, cache, {}
        self.seed = description.get("seed", "keymend")
        self.policy, self.master_cipher, self.blob_cipher = GENERATIONS[
            description.get("generation", "10")
        ]
        secret = self.noise("system")
        self.boot_key = secret.bytes(16)
        self.lsa_key = secret.bytes(16 if self.policy == "nt5" else 32)
        self.halves = {"machine": secret.bytes(20), "user": secret.bytes(20)}
        if description.get("dpapi_system"):
            told = bytes.fromhex(description["dpapi_system"])
            self.halves = {"machine": told[4:24], "user": told[24:44]}
        self.master_keys, self.masters, self.keys = {}, {}, {}

    def noise(self, *what):
        return Noise("/".join((self.seed,) + what))

    # ---- RSA keys ----

    def rsa(self, name, bits, e=65537, carmichael=False):
        """The key of that name, from the cache when it is there."""
        asked = (name, bits, e, carmichael)
        if asked not in self.rsa_keys:
            self.rsa_keys[asked] = self.load(asked) or self.keep(
                asked, Rsa(name, bits, e, carmichael)
            )
        return self.rsa_keys[asked]

    def place(self, asked):
        return self.cache and os.path.join(
            self.cache, "rsa-" + hashlib.sha256(repr(asked).encode()).hexdigest()[:24]
        )

    def load(self, asked):
        place = self.place(asked)
        if not place or not os.path.exists(place):
            return None
        with open(place, encoding="ascii") as file:
            return object.__new__(Rsa).copy(**json.load(file))

    def keep(self, asked, key):
        place = self.place(asked)
        if place:
            temporary = "%s.%d" % (place, os.getpid())
            with open(temporary, "w", encoding="ascii") as file:
                json.dump(key.__dict__, file)
            os.replace(temporary, place)
        return key

    # ---- Master keys ----

    def master_key(self, given):
        """{ id, guid, user, wrong = "absent" or "closed", cipher, rounds, file = a real one }"""
        if given.get("file"):
            return self.real_master_key(given, bytes.fromhex(given["file"]))
        noise = self.noise("master key", given["id"])
        guid, key = given.get("guid") or noise.guid(), noise.bytes(64)
        half = self.halves["user" if given.get("user") else "machine"]
        secret = noise.bytes(20) if given.get("wrong") == "closed" else half
        kind, cipher, rounds = self.master_cipher
        short = given.get("cipher") == "rc4-40"
        if short:
            kind, cipher = HMAC_SHA1, RC4
        elif given.get("cipher"):
            kind, cipher = MASTER_CIPHERS[given["cipher"]]
        rounds = given.get("rounds", rounds)
        slots = [
            formats.seal_master_key(
                part, secret, noise, kind, cipher, min(rounds, 100000), 5 if short else 16
            )
            for part in (key, noise.bytes(32))
        ]
        if rounds > 100000:  # only told: nobody derives with so many
            slots = [slot[:20] + formats.u32(rounds) + slot[24:] for slot in slots]
        slots.append(formats.u32(3) + bytes(16))
        self.masters[given["id"]] = dict(given, guid=guid, key=key, rc4=cipher == RC4)
        self.master_keys[given["id"]] = {
            "guid": guid,
            "user": bool(given.get("user")),
            "absent": given.get("wrong") == "absent",
            "file": formats.master_key_file(guid, slots).hex(),
        }

    def real_master_key(self, given, data):
        """One that somebody published, under the DPAPI_SYSTEM of the description."""
        guid, slots = formats.read_master_key_file(data)
        half = self.halves["user" if given.get("user") else "machine"]
        self.masters[given["id"]] = dict(
            given, guid=guid, key=formats.open_master_key(slots[0], half)
        )
        self.master_keys[given["id"]] = {
            "guid": guid,
            "user": bool(given.get("user")),
            "absent": False,
            "file": data.hex(),
        }

    # ---- Keys ----

    def blob(self, master, data, description, entropy, noise, given):
        kind, cipher = BLOB_CIPHERS[given["blob"]] if given.get("blob") else self.blob_cipher
        return formats.protect(
            master["key"],
            master["guid"],
            data,
            description,
            noise,
            kind,
            cipher,
            entropy,
            given.get("flags", 4),
            given.get("seal"),
        )

    def pair(self, where, given):
        """One key pair: (public, private half to be sealed, verdict, master key)."""
        bits, name = given["bits"], given.get("rsa") or where
        shape = given.get("e", 65537), bool(given.get("carmichael"))
        public = self.rsa(name, bits, *shape)
        private = (
            self.rsa(given["private"], given.get("private_bits", bits), *shape)
            if given.get("private")
            else public
        )
        if given.get("spoil"):
            private = spoiled(private, given["spoil"], self.rsa(name + " other", bits, *shape))
        return public, private

    def verdict(self, given, master):
        if master.get("wrong") == "absent":
            # Of one account: its own master keys stand elsewhere, and nobody looked there.
            return "no-master-key" if given.get("flags", 4) & 4 else "unknown"
        if master.get("wrong") == "closed":
            # No real RC4 master key is known, so that nothing may be concluded from one that stays closed.
            return "unknown" if master["rc4"] else "master-key-closed"
        if master.get("rounds", 0) > 100000:
            return given.get("verdict", "unknown")
        if given.get("flip"):
            return "bad-signature"
        if given.get("private") or given.get("spoil") or given.get("cut"):
            return "mismatch"
        return "yes"

    def capi_part(self, where, given, noise):
        """Public, private and export part of a CAPI key file, and what is to be known of it."""
        public, private = self.pair(where, given)
        master = self.masters[given["master_key"]]
        plain = formats.rsa2(private, noise.bytes(given.get("behind", BEHIND)))
        if given.get("magic"):
            plain = given["magic"].encode() + plain[4:]
        if given.get("cut"):
            plain = plain[: -given["cut"]]
        sealed = self.blob(master, plain, "CryptoAPI Private Key", b"", noise, given)
        if given.get("flip"):
            sealed = flipped(sealed, given["flip"])
        export = self.blob(
            master,
            formats.u32(1 if given.get("exportable") else 0),
            "Export Flag",
            formats.EXPORT_ENTROPY,
            noise,
            given,
        )
        return (formats.rsa1(public), sealed, export), self.told(given, public, master)

    def told(self, given, public, master):
        verdict = self.verdict(given, master)
        if given.get("magic"):
            verdict = "mismatch"
        # A stream cipher decrypts everything: what does not begin as a key may be keymend's own fault.
        cipher = BLOB_CIPHERS[given["blob"]] if given.get("blob") else self.blob_cipher
        unlike = given.get("seal", {}).get("nonsense") or given.get("magic", "RSA")[:3] != "RSA"
        if cipher[1] == RC4 and unlike:
            verdict = "unknown"
        out = {
            "verdict": verdict,
            "modulus": public.modulus().hex(),
            "bits": public.bits,
            "e": public.e,
            "master_key": master["guid"],
            "exportable": bool(given.get("exportable")),
        }
        if verdict == "yes" and not given.get("bare"):
            block = Noise("try " + out["modulus"]).bytes(public.size - 1)
            out["try"] = {"in": (b"\0" + block).hex(), "out": public.private(b"\0" + block).hex()}
        return out

    def capi(self, given):
        parts, files = {}, {}
        for part in ("signature", "exchange"):
            if given.get(part):
                where = given["id"] + " " + part
                merged = merge(given, given[part])
                files[part], parts[part] = self.capi_part(where, merged, self.noise("key", where))
        data = formats.capi_file(
            given.get("inside") or given["container"], files.get("signature"), files.get("exchange")
        )
        return data, parts

    def cng(self, given):
        given = merge(given, given["exchange"])
        noise, master = self.noise("key", given["id"]), self.masters[given["master_key"]]
        public, private = self.pair(given["id"] + " exchange", given)
        clear = formats.cng_property(
            "Modified", formats.struct.pack("<Q", 0x01D5457200000000 + noise.number(32))
        )
        if not given.get("bare"):
            clear += formats.cng_property("", formats.bcrypt_rsa(public, False), 10)
        policy = formats.u32(3 if given.get("exportable") else 0)
        plain = formats.bcrypt_rsa(private, True, bool(given.get("full")))
        plain = plain[: -given["cut"]] if given.get("cut") else plain
        properties, sealed = (
            self.blob(master, data, text, entropy, noise, given)
            for data, text, entropy in (
                (
                    formats.cng_property("Export Policy", policy, 3),
                    "Private Key Properties",
                    formats.CNG_PROPERTIES_ENTROPY,
                ),
                (plain, "Private Key", formats.CNG_KEY_ENTROPY),
            )
        )
        if given.get("flip"):
            sealed = flipped(sealed, given["flip"])
        data = formats.cng_file(given["container"], clear, properties, sealed)
        return data, {"exchange": self.told(given, public, master)}

    def key(self, given):
        """{ id, container, kind, master_key, signature, exchange, exportable, ... }; see
        tests/lib/proof.lua."""
        data, parts = self.cng(given) if given.get("kind") == "cng" else self.capi(given)
        verdicts = [part["verdict"] for part in parts.values()]
        self.keys[given["id"]] = {
            "file": data.hex(),
            "container": given["container"],
            "kind": given.get("kind", "capi"),
            "parts": parts,
            "verdict": max(verdicts, key=GRAVITY.index) if verdicts else "unknown",
        }

    # ---- What names keys ----

    def find(self, name, part="exchange"):
        """The pair of a key made above (its public part), or of a name that no key file has."""
        given = next((key for key in self.given.get("keys", []) if key["id"] == name), None)
        if not given:
            return self.rsa(name, 1024)
        return self.pair(name + " " + part, merge(given, given[part]))[0]

    def certificate(self, given):
        noise, spec = self.noise("certificate", given["id"]), given.get("key_spec", 1)
        data = identity.certificate(
            self.find(given["key"], "signature" if spec == 2 else "exchange"),
            given.get("subject", "WEB01"),
            noise.number(120) | 1 << 120,
            given.get("begins", "20161102102240Z"),
            given.get("ends", "20290102030405Z"),
            given.get("sha1", False),
        )
        blob = identity.store_blob(
            data,
            given.get("container"),
            given.get("provider", SCHANNEL_NAME),
            spec,
            given.get("friendly"),
            12 if "provider" not in given else 1,
        )
        return {
            "store": given.get("store", "My"),
            "blob": blob.hex(),
            "der": data.hex(),
            "container": given.get("container"),
            "thumbprint": hashlib.sha1(data).hexdigest().upper(),
        }

    def configuration(self, given):
        """{ id, providers = { { name, container, key, kind } }, pools = { { name, user, provider,
        password } } }"""
        noise, lines, sessions = self.noise("configuration", given["id"]), [], {}
        for provider in given["providers"]:
            form = {"rsa": identity.RSA_PROVIDER, "cng": identity.CNG_PROVIDER}.get(
                provider.get("kind")
            )
            if form:
                lines.append(form % (provider["name"], provider["container"]))
                continue
            key, session = self.find(provider["key"]), noise.bytes(16)
            blob = identity.simple_blob(key, session, noise)
            sessions[provider["name"]] = session
            lines.append(
                identity.AES_PROVIDER
                % (
                    provider["name"],
                    provider["container"],
                    identity.base64.b64encode(blob).decode(),
                )
            )
        pools = [
            (
                pool["name"],
                pool.get("user", "WEB01\\pool"),
                pool["provider"],
                identity.protect_value(
                    sessions[pool["provider"]], pool["password"], noise, bool(given.get("zeros"))
                ),
            )
            for pool in given.get("pools", [])
        ]
        return identity.configuration(lines, pools)

    def metabase(self, given):
        noise = self.noise("metabase", given["id"])
        return identity.metabase(
            self.find(given["key"], "signature"), self.find(given["key"]), noise
        )

    # ---- The whole ----

    def secrets(self):
        """What must stand in no output: tests look for each of these bytes."""
        out = {
            "boot_key": self.boot_key.hex(),
            "lsa_key": self.lsa_key.hex(),
            "machine": self.halves["machine"].hex(),
            "user": self.halves["user"].hex(),
            "master_keys": {
                master["guid"]: master["key"].hex() for master in self.masters.values()
            },
            "rsa": [],
        }
        for key in self.rsa_keys.values():
            out["rsa"].append(
                {
                    "n": "%x" % key.n,
                    "d": "%x" % key.d,
                    "p": "%x" % key.p,
                    "q": "%x" % key.q,
                    "dp": "%x" % key.dp,
                    "dq": "%x" % key.dq,
                    "qinv": "%x" % key.qinv,
                    "e": key.e,
                }
            )
        return out

    def all(self):
        for given in self.given.get("master_keys", []):
            self.master_key(given)
        for given in self.given.get("keys", []):
            self.key(given)
        make = formats.policy_nt5 if self.policy == "nt5" else formats.policy_nt6
        system = formats.u32(1) + self.halves["machine"] + self.halves["user"]
        policy = make(self.boot_key, self.lsa_key, self.noise("policy"), system)
        return {
            "classes": formats.boot_classes(self.boot_key),
            "policy": {name: value.hex() for name, value in policy.items()},
            "master_keys": self.master_keys,
            "keys": self.keys,
            "certificates": {
                given["id"]: self.certificate(given) for given in self.given.get("certificates", [])
            },
            "configurations": {
                given["id"]: self.configuration(given)
                for given in self.given.get("configurations", [])
            },
            "metabases": {
                given["id"]: self.metabase(given) for given in self.given.get("metabases", [])
            },
            "secrets": self.secrets(),
        }


def merge(key, part):
    """A part's fields over its key's; a part may be a number of bits alone."""
    return {**key, **(part if isinstance(part, dict) else {"bits": part})}


def spoiled(key, what, other):
    """The key with one number that does not fit the others, or whose numbers fit but for one."""
    if what == "insides":  # all but the modulus is another key's
        return other.copy(n=key.n)
    if what == "exponent":  # whole, but for another public exponent
        return key.with_other_exponent()
    if what == "swapped":
        return key.copy(p=key.q, q=key.p)
    if what == "trivial":
        return key.copy(p=1, q=key.n)
    if what == "e":
        return key.copy(e=3 if key.e != 3 else 17)
    if what == "n":
        return key.copy(n=key.n ^ 2)
    return key.copy(**{what: getattr(key, what) ^ 4})


def flipped(blob, where):
    """The blob with one bit changed in the middle of a field."""
    found = formats.read_blob(blob)
    at = found["at"][where] + (len(found[where]) // 2 if isinstance(found.get(where), bytes) else 0)
    return blob[:at] + bytes([blob[at] ^ 0x10]) + blob[at + 1 :]


def main():
    cache = sys.argv[1] if len(sys.argv) > 1 else None
    json.dump(Forge(json.load(sys.stdin), cache).all(), sys.stdout)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
