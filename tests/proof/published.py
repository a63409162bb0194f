# published.py: formats.py against values that others published with real files
#
#   python3 tests/proof/published.py DATA
#
# DATA is the folder of real files (see tests/suites/data). Prints a line for each value: "ok WHAT" or
# "FAIL WHAT".

import glob
import hashlib
import json
import os
import sys

import formats
from formats import Refused


def say(what, holds):
    print("ok" if holds else "FAIL", what)


def read(*path):
    with open(os.path.join(*path), "rb") as file:
        return file.read()


def opened(call, *arguments):
    try:
        return call(*arguments)
    except Refused:
        return None


def nemesis(data):
    """Master keys of a Windows 10, and a key of Crypto\\SystemKeys under one of them."""
    folder = os.path.join(data, "dpapi", "nemesis")
    expected, key = json.loads(read(folder, "expected.json")), None
    for name in ("masterkey_system.bin", "masterkey_systemuser.bin"):
        wanted = expected[name]
        guid, slots = formats.read_master_key_file(read(folder, name))
        say("nemesis: GUID in " + name, guid == wanted["guid"])
        key = opened(formats.open_master_key, slots[0], bytes.fromhex(expected[wanted["key"]]))
        say(
            "nemesis: " + name,
            key and hashlib.sha1(key).hexdigest() == wanted["plaintext_sha1"],
        )
        other = "user_key" if wanted["key"] == "machine_key" else "machine_key"
        say(
            "nemesis: %s does not open with the other half" % name,
            not opened(formats.open_master_key, slots[0], bytes.fromhex(expected[other])),
        )
    (path,) = glob.glob(os.path.join(data, "cng", "nemesis", "SystemKeys", "*"))
    found = formats.read_cng_file(read(path))
    say("nemesis: name in the key file", found["name"].decode("utf-16-le") == "Google Chromekey1")
    policy = opened(formats.unprotect, found["properties"], key, formats.CNG_PROPERTIES_ENTROPY)
    say(
        "nemesis: private properties",
        policy and "Export Policy" in policy.decode("utf-16-le", "replace"),
    )
    plain = opened(formats.unprotect, found["private"], key, formats.CNG_KEY_ENTROPY)
    say("nemesis: private key", plain and plain[:4] == b"KDBM")


def impacket(data):
    folder = os.path.join(data, "dpapi", "impacket")
    expected = json.loads(read(folder, "expected.json"))
    _, slots = formats.read_master_key_file(read(folder, "systemMasterKeyFile.bin"))
    key = opened(formats.open_master_key, slots[0], bytes.fromhex(expected["userKey"]))
    say("impacket: system master key", key and key.hex() == expected["systemMasterKey"])


def chain(data):
    """Boot key to blob, each value published."""
    folder = os.path.join(data, "chain")
    expected = json.loads(read(folder, "chain.json"))
    boot = formats.boot_key(expected["SYSTEM_class_names"])
    say("chain: boot key", boot.hex() == expected["bootkey"])
    say("chain: class names", formats.boot_classes(boot) == expected["SYSTEM_class_names"])
    policy = {
        "PolEKList": bytes.fromhex(expected["PolEKList"]),
        "DPAPI_SYSTEM": bytes.fromhex(expected["DPAPI_SYSTEM_CurrVal"]),
    }
    lsa_key, system = formats.read_policy_nt6(boot, policy)
    say("chain: LSA key", lsa_key.hex() == expected["lsakey"])
    say("chain: DPAPI_SYSTEM", system.hex() == expected["DPAPI_SYSTEM_plain"])
    path = "Windows/System32/Microsoft/Protect/S-1-5-18/" + expected["masterkey_guid"]
    _, slots = formats.read_master_key_file(read(folder, path))
    key = opened(formats.open_master_key, slots[0], system[4:24])
    say("chain: master key", key and key.hex() == expected["masterkey_plain"])
    plain = key and opened(formats.unprotect, read(folder, "test_data.dpapi"), key)
    say("chain: blob", plain and plain.hex() == expected["test_data.dpapi_plaintext_hex"])


def shapes(data):
    """What is forged has the shape of real files whose keys nobody knows."""
    (path,) = glob.glob(os.path.join(data, "capi", "dsinternals", "*", "*"))
    real = read(path)
    found = formats.read_capi_file(real)
    blob = formats.read_blob(found["exchange private"])
    key, noise = formats.Rsa("shape", 2048), formats.Noise("shape")
    made = [
        formats.protect(
            bytes(64), blob["guid"], plain, text, noise, blob["hash"], blob["cipher"], flags=0
        )
        for plain, text in (
            (formats.rsa2(key, bytes(136)), "CryptoAPI Private Key"),
            (formats.u32(1), "Export Flag"),
        )
    ]
    forged = formats.capi_file(
        found["name"][:-1].decode(), None, (formats.rsa1(key), made[0], made[1])
    )
    say(
        "shape: size and header of a CAPI file",
        len(forged) == len(real) and forged[:40] == real[:40],
    )
    at = found["at"]["exchange private"]
    salt = blob["at"]["salt"]
    say("shape: head of the private blob", forged[at : at + salt] == real[at : at + salt])
    real = read(os.path.join(data, "cng", "dsinternals", os.listdir(data + "/cng/dsinternals")[0]))[
        180:
    ]
    found = formats.read_cng_file(real)
    public = formats.cng_property("", formats.bcrypt_rsa(key, False), 10)
    say("shape: size of a CNG public key", len(found["public"]) == 44 + len(public))
    private = formats.protect(
        bytes(64), blob["guid"], formats.bcrypt_rsa(key, True), "Private Key", noise, 0x8004, 0x6603
    )
    say("shape: size of a CNG private key", len(found["private"]) == len(private))


def main():
    data = sys.argv[1]
    for part in (nemesis, impacket, chain, shapes):
        part(data)


if __name__ == "__main__":
    main()
