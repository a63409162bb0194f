# oracle.py: what impacket reads of a volume: boot key, DPAPI_SYSTEM, master keys, private keys
#
#   python3 tests/proof/oracle.py SYSTEM SECURITY PROTECT [KEY_FILE...]
#
# Prints one JSON document: { seconds, boot_key, machine, user, master_keys = { GUID = { key } or
# { error } }, keys = { FILE = { signature = { n, e, d, p, q } or { error }, exchange } } }; numbers and
# bytes are hex, the seconds are those of the chain without Python's start. All that opens anything is impacket's own; what it has no reader for (RC4 master keys, entropy
# under SHA-1, CNG) is told as an error.

import json
import os
import sys
import time

from impacket.dpapi import (
    DPAPI_BLOB,
    PRIVATE_KEY_BLOB,
    MasterKey,
    MasterKeyFile,
    privatekeyblob_to_pkcs1,
)
from impacket.examples.secretsdump import LocalOperations, LSASecrets
from impacket.uuid import bin_to_string

import formats


def system_secret(security, boot_key):
    """DPAPI_SYSTEM as impacket hands it out: two lines with the halves in hex."""
    found = {}

    def take(_, secret):
        for line in str(secret).splitlines():
            name, _, value = line.partition(":0x")
            if name.startswith("dpapi_"):
                found[name] = bytes.fromhex(value)

    secrets = LSASecrets(security, boot_key, None, isRemote=False, perSecretCallback=take)
    secrets.dumpSecrets()
    secrets.finish()
    return found["dpapi_machinekey"], found["dpapi_userkey"]


def master_key(path, halves):
    with open(path, "rb") as file:
        data = file.read()
    head = MasterKeyFile(data)
    slot = MasterKey(data[len(head) : len(head) + head["MasterKeyLen"]])
    for half in halves:
        key = slot.decrypt(half)
        if key:
            return key
    raise ValueError("it does not open")


def master_keys(protect, machine, user):
    """Those of the folder open with the machine's half, those of its folder User with the user's."""
    found = {}
    for folder, half in ((protect, machine), (os.path.join(protect, "User"), user)):
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            path = os.path.join(folder, name)
            if not os.path.isfile(path) or len(name) != 36:
                continue
            try:
                found[name.lower()] = {"key": master_key(path, (half,)).hex()}
            except Exception as problem:  # whatever impacket raises is an answer here
                found[name.lower()] = {"error": repr(problem)}
    return found


def private_key(sealed, masters):
    blob = DPAPI_BLOB(sealed)
    master = masters.get(bin_to_string(blob["GuidMasterKey"]).lower())
    if not master or "key" not in master:
        raise ValueError("no master key")
    plain = blob.decrypt(bytes.fromhex(master["key"]))
    if plain is None:
        raise ValueError("the signature is wrong")
    found = formats.read_rsa2(plain)
    # impacket reads the blob that CryptExportKey makes, which has no padding between the numbers.
    size, half = found["bits"] // 8, found["bits"] // 16
    standard = formats.u32(0x207, 0xA400) + b"RSA2" + formats.u32(found["bits"], found["e"])
    for name, width in zip(
        ("n", "p", "q", "dp", "dq", "qinv", "d"), (size, half, half, half, half, half, size)
    ):
        standard += found[name].to_bytes(width, "little")
    key = privatekeyblob_to_pkcs1(PRIVATE_KEY_BLOB(standard))
    return {name: "%x" % getattr(key, name) for name in ("n", "e", "d", "p", "q")}


def key_file(path, masters):
    with open(path, "rb") as file:
        parts, out = formats.read_capi_file(file.read()), {}
    for part in ("signature", "exchange"):
        if parts[part + " private"]:
            try:
                out[part] = private_key(parts[part + " private"], masters)
            except Exception as problem:
                out[part] = {"error": repr(problem)}
    return out


def main():
    system, security, protect = sys.argv[1:4]
    began = time.perf_counter()
    boot_key = LocalOperations(system).getBootKey()
    machine, user = system_secret(security, boot_key)
    masters = master_keys(protect, machine, user)
    keys = {path: key_file(path, masters) for path in sys.argv[4:]}
    json.dump(
        {
            "seconds": time.perf_counter() - began,
            "boot_key": boot_key.hex(),
            "machine": machine.hex(),
            "user": user.hex(),
            "master_keys": masters,
            "keys": keys,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
