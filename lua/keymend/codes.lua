-- codes.lua: error codes that services, events and CryptoAPI give, in words
--
-- Data first: code = { name, text, means }. `text` is the English text of Windows (KB 884872 quotes it for 3, 6, 1008),
-- `means` what it says of a key container or a service, where there is more to say. Codes are unsigned 32-bit numbers;
-- a negative one is taken as the same 32 bits.

local M = {}

local WIN32 = {
  [2] = { "ERROR_FILE_NOT_FOUND", "The system cannot find the file specified" },
  [3] = { "ERROR_PATH_NOT_FOUND", "The system cannot find the path specified",
    "IIS could not open its metabase (KB 884872)" },
  [5] = { "ERROR_ACCESS_DENIED", "Access is denied" },
  [6] = { "ERROR_INVALID_HANDLE", "The specified handle is invalid",
    "Internet Services Manager says so when IIS cannot open its metabase (KB 884872)" },
  [8] = { "ERROR_NOT_ENOUGH_MEMORY", "Not enough storage is available to process this command" },
  [13] = { "ERROR_INVALID_DATA", "The data is invalid" },
  [14] = { "ERROR_OUTOFMEMORY", "Not enough storage is available to complete this operation" },
  [32] = { "ERROR_SHARING_VIOLATION", "The file is being used by another process" },
  [87] = { "ERROR_INVALID_PARAMETER", "The parameter is incorrect" },
  [126] = { "ERROR_MOD_NOT_FOUND", "The specified module could not be found" },
  [127] = { "ERROR_PROC_NOT_FOUND", "The specified procedure could not be found" },
  [193] = { "ERROR_BAD_EXE_FORMAT", "It is not a valid Win32 application" },
  [1008] = { "ERROR_NO_TOKEN", "An attempt was made to reference a token that does not exist",
    "IIS could not open its metabase with the key it found (KB 884872)" },
  [1051] = { "ERROR_DEPENDENT_SERVICES_RUNNING",
    "A stop control has been sent to a service that other running services are dependent on" },
  [1052] = { "ERROR_INVALID_SERVICE_CONTROL", "The requested control is not valid for this service" },
  [1053] = { "ERROR_SERVICE_REQUEST_TIMEOUT",
    "The service did not respond to the start or control request in a timely fashion" },
  [1054] = { "ERROR_SERVICE_NO_THREAD", "A thread could not be created for the service" },
  [1055] = { "ERROR_SERVICE_DATABASE_LOCKED", "The service database is locked" },
  [1056] = { "ERROR_SERVICE_ALREADY_RUNNING", "An instance of the service is already running" },
  [1057] = { "ERROR_INVALID_SERVICE_ACCOUNT", "The account name is invalid or does not exist, or the password is "
    .. "invalid for the account name specified" },
  [1058] = { "ERROR_SERVICE_DISABLED", "The service cannot be started, either because it is disabled or because it "
    .. "has no enabled devices associated with it" },
  [1059] = { "ERROR_CIRCULAR_DEPENDENCY", "Circular service dependency was specified" },
  [1060] = { "ERROR_SERVICE_DOES_NOT_EXIST", "The specified service does not exist as an installed service" },
  [1061] = { "ERROR_SERVICE_CANNOT_ACCEPT_CTRL", "The service cannot accept control messages at this time" },
  [1062] = { "ERROR_SERVICE_NOT_ACTIVE", "The service has not been started" },
  [1064] = { "ERROR_EXCEPTION_IN_SERVICE", "An exception occurred in the service when handling the control request" },
  [1066] = { "ERROR_SERVICE_SPECIFIC_ERROR", "The service has returned a service-specific error code" },
  [1067] = { "ERROR_PROCESS_ABORTED", "The process terminated unexpectedly" },
  [1068] = { "ERROR_SERVICE_DEPENDENCY_FAIL", "The dependency service or group failed to start" },
  [1069] = { "ERROR_SERVICE_LOGON_FAILED", "The service did not start due to a logon failure",
    "its account or password is wrong; no key is at fault" },
  [1070] = { "ERROR_SERVICE_START_HANG", "After starting, the service hung in a start-pending state" },
  [1072] = { "ERROR_SERVICE_MARKED_FOR_DELETE", "The specified service has been marked for deletion" },
  [1075] = { "ERROR_SERVICE_DEPENDENCY_DELETED",
    "The dependency service does not exist or has been marked for deletion" },
  [1077] = { "ERROR_SERVICE_NEVER_STARTED", "No attempts to start the service have been made since the last boot" },
  [1079] = { "ERROR_DIFFERENT_SERVICE_ACCOUNT", "The account specified for this service is different from the account "
    .. "specified for other services running in the same process" },
  [1115] = { "ERROR_SHUTDOWN_IN_PROGRESS", "A system shutdown is in progress" },
  [1314] = { "ERROR_PRIVILEGE_NOT_HELD", "A required privilege is not held by the client" },
  [1722] = { "RPC_S_SERVER_UNAVAILABLE", "The RPC server is unavailable" },
}

-- Names and texts as winerror.h and Windows give them.
local HRESULT = {
  [0x80004005] = { "E_FAIL", "Unspecified error" },
  [0x8000FFFF] = { "E_UNEXPECTED", "Catastrophic failure" },
  [0x80090001] = { "NTE_BAD_UID", "Bad UID" },
  [0x80090002] = { "NTE_BAD_HASH", "Bad Hash" },
  [0x80090003] = { "NTE_BAD_KEY", "Bad Key" },
  [0x80090004] = { "NTE_BAD_LEN", "Bad Length" },
  [0x80090005] = { "NTE_BAD_DATA", "Bad Data", "the key is not the one the data was made for, or the data is damaged" },
  [0x80090006] = { "NTE_BAD_SIGNATURE", "Invalid Signature",
    "the key is not the one the data was signed with: mostly a regenerated key beside an orphaned one" },
  [0x80090007] = { "NTE_BAD_VER", "Bad Version of provider" },
  [0x80090008] = { "NTE_BAD_ALGID", "Invalid algorithm specified" },
  [0x80090009] = { "NTE_BAD_FLAGS", "Invalid flags specified" },
  [0x8009000A] = { "NTE_BAD_TYPE", "Invalid type specified" },
  [0x8009000B] = { "NTE_BAD_KEY_STATE", "Key not valid for use in specified state",
    "the key file is there, but DPAPI cannot decrypt it: its master key is gone, or it came from another machine" },
  [0x8009000C] = { "NTE_BAD_HASH_STATE", "Hash not valid for use in specified state" },
  [0x8009000D] = { "NTE_NO_KEY", "Key does not exist", "the key container has no such key" },
  [0x8009000E] = { "NTE_NO_MEMORY", "Insufficient memory available for the operation" },
  [0x8009000F] = { "NTE_EXISTS", "Object already exists", "the key file is there, but this account may not read it" },
  [0x80090010] = { "NTE_PERM", "Access denied" },
  [0x80090011] = { "NTE_NOT_FOUND", "Object was not found" },
  [0x80090013] = { "NTE_BAD_PROVIDER", "Invalid provider specified" },
  [0x80090014] = { "NTE_BAD_PROV_TYPE", "Invalid provider type specified" },
  [0x80090015] = { "NTE_BAD_PUBLIC_KEY", "Provider's public key is invalid" },
  [0x80090016] = { "NTE_BAD_KEYSET", "Keyset does not exist",
    "no key file has the name that the machine GUID asks for, or this account may not read it" },
  [0x80090017] = { "NTE_PROV_TYPE_NOT_DEF", "Provider type not defined" },
  [0x80090018] = { "NTE_PROV_TYPE_ENTRY_BAD", "Provider type as registered is invalid" },
  [0x80090019] = { "NTE_KEYSET_NOT_DEF", "The keyset is not defined" },
  [0x8009001A] = { "NTE_KEYSET_ENTRY_BAD", "Keyset as registered is invalid",
    "the key file is damaged or of a form that this Windows does not know" },
  [0x8009001B] = { "NTE_PROV_TYPE_NO_MATCH", "Provider type does not match registered value" },
  [0x8009001C] = { "NTE_SIGNATURE_FILE_BAD", "The digital signature file is corrupt" },
  [0x8009001D] = { "NTE_PROVIDER_DLL_FAIL", "Provider DLL failed to initialize correctly" },
  [0x8009001E] = { "NTE_PROV_DLL_NOT_FOUND", "Provider DLL could not be found" },
  [0x8009001F] = { "NTE_BAD_KEYSET_PARAM", "The Keyset parameter is invalid" },
  [0x80090020] = { "NTE_FAIL", "An internal error occurred" },
  [0x80090021] = { "NTE_SYS_ERR", "A base error occurred" },
  [0x80090022] = { "NTE_SILENT_CONTEXT",
    "Provider could not perform the action since the context was acquired as silent",
    "the key asks a person before it is used" },
  [0x80090024] = { "NTE_TEMPORARY_PROFILE", "The profile for the user is a temporary profile" },
  [0x80090029] = { "NTE_NOT_SUPPORTED", "The requested operation is not supported" },
  [0x8009030D] = { "SEC_E_UNKNOWN_CREDENTIALS", "The credentials supplied to the package were not recognized",
    "Schannel cannot use the private key of the certificate" },
  [0x80092004] = { "CRYPT_E_NOT_FOUND", "Cannot find object or property" },
}

-- An HRESULT 0x8007xxxx carries a Win32 code.
local WRAPPED = 0x80070000

local function unsigned(code)
  return code < 0 and code + 2 ^ 32 or code
end

-- The code as people write it: 1008, 0x80090016.
function M.number(code)
  code = unsigned(code)
  if code < 0x80000000 then return ("%d"):format(code) end
  return ("0x%04X%04X"):format(math.floor(code / 0x10000), code % 0x10000)
end

-- { code, name, text, means } of a code, or nil for one that is not in the tables.
function M.find(code)
  code = unsigned(code)
  local row = WIN32[code] or HRESULT[code]
  if not row and code > WRAPPED and code < WRAPPED + 0x10000 then row = WIN32[code - WRAPPED] end
  return row and { code = code, name = row[1], text = row[2], means = row[3] } or nil
end

-- "NTE_BAD_KEYSET (0x80090016): Keyset does not exist"; "error 4711" for a code that is not known.
function M.words(code)
  local found = M.find(code)
  if not found then return "error " .. M.number(code) end
  return ("%s (%s): %s"):format(found.name, M.number(code), found.text)
end

-- What the code says of a key container or a service; nil when there is no more to say than its words.
function M.means(code)
  local found = M.find(code)
  return found and found.means
end

M.SERVICE_SPECIFIC, M.NEVER_STARTED = 1066, 1077

-- Whether a service that is stopped with this exit code has failed; one that was never started has not.
function M.is_failure(exit_code)
  return exit_code ~= nil and exit_code ~= 0 and exit_code ~= M.NEVER_STARTED
end

-- Why a service ended, in words; nil when it did not fail. With 1066 its own code counts, mostly an HRESULT; what a
-- small one means only the service knows.
function M.exit_words(exit_code, specific_code)
  if not M.is_failure(exit_code) then return nil end
  if exit_code ~= M.SERVICE_SPECIFIC or not specific_code then return M.words(exit_code) end
  if M.find(specific_code) and unsigned(specific_code) >= 0x80000000 then return M.words(specific_code) end
  return "the service's own code " .. M.number(specific_code)
end

-- The code that decides about a service's end: its own one with 1066, else the exit code.
function M.exit_code(exit_code, specific_code)
  return exit_code == M.SERVICE_SPECIFIC and specific_code or exit_code
end

-- The 32-bit code at the beginning of bytes, little endian, as events hold it; nil when they are fewer than four.
function M.of_data(bytes)
  if not bytes or #bytes < 4 then return nil end
  local a, b, c, d = bytes:byte(1, 4)
  return a + b * 0x100 + c * 0x10000 + d * 0x1000000
end

-- The code in a text of an event: "%%1008", "0x80090016", "2148073478", "-2146893818"; nil when it is none.
function M.of_text(text)
  local digits = text:match "^%%%%(%d+)$" or text:match "^%-?%d+$"
  local code = digits and tonumber(digits) or text:match "^0[xX]%x+$" and tonumber(text)
  if not code or code < -2 ^ 31 or code >= 2 ^ 32 then return nil end
  return unsigned(code)
end

return M
