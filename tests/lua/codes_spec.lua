-- codes_spec.lua: tests of the words of error codes

local codes = require "keymend.codes"

describe("codes", function()
  it("are told by name, number and Windows' text", function()
    assert.equal("ERROR_NO_TOKEN (1008): An attempt was made to reference a token that does not exist",
      codes.words(1008))
    assert.equal("NTE_BAD_KEYSET (0x80090016): Keyset does not exist", codes.words(0x80090016))
    assert.equal("NTE_BAD_SIGNATURE (0x80090006): Invalid Signature", codes.words(-2146893818))
  end)

  it("say so when they are not known", function()
    assert.is_nil(codes.find(4711))
    assert.equal("error 4711", codes.words(4711))
    assert.equal("error 0x8009FFFF", codes.words(0x8009FFFF))
    assert.is_nil(codes.means(4711))
  end)

  it("look into an HRESULT that carries a Win32 code", function()
    assert.equal("ERROR_PATH_NOT_FOUND (0x80070003): The system cannot find the path specified",
      codes.words(0x80070003))
    assert.is_nil(codes.find(0x80071234))
  end)

  it("know every code of the field facts", function()
    for code, name in pairs {
      [5] = "ERROR_ACCESS_DENIED", [6] = "ERROR_INVALID_HANDLE", [1008] = "ERROR_NO_TOKEN",
      [1053] = "ERROR_SERVICE_REQUEST_TIMEOUT", [1058] = "ERROR_SERVICE_DISABLED",
      [1066] = "ERROR_SERVICE_SPECIFIC_ERROR", [1067] = "ERROR_PROCESS_ABORTED",
      [1068] = "ERROR_SERVICE_DEPENDENCY_FAIL", [1069] = "ERROR_SERVICE_LOGON_FAILED",
      [1077] = "ERROR_SERVICE_NEVER_STARTED", [0x80090006] = "NTE_BAD_SIGNATURE",
      [0x8009000B] = "NTE_BAD_KEY_STATE", [0x8009000D] = "NTE_NO_KEY", [0x80090016] = "NTE_BAD_KEYSET",
      [0x80090020] = "NTE_FAIL",
    } do
      assert.equal(name, codes.find(code).name)
    end
  end)

  it("tell why a service ended", function()
    assert.is_nil(codes.exit_words(0, 0))
    assert.is_nil(codes.exit_words(1077, 0))
    assert.is_false(codes.is_failure(nil))
    assert.equal(codes.words(1008), codes.exit_words(1008, 0))
    assert.equal(codes.words(0x80090006), codes.exit_words(1066, 0x80090006))
    assert.equal("the service's own code 3", codes.exit_words(1066, 3))
    assert.equal(0x80090006, codes.exit_code(1066, 0x80090006))
    assert.equal(1008, codes.exit_code(1008, 7))
  end)

  it("are found in what events hold", function()
    assert.equal(3, codes.of_data "\3\0\0\0")
    assert.equal(0x80090016, codes.of_data "\22\0\9\128more")
    assert.is_nil(codes.of_data "\3\0\0")
    assert.equal(1008, codes.of_text "%%1008")
    assert.equal(0x80090006, codes.of_text "-2146893818")
    assert.equal(0x80090006, codes.of_text "2148073478")
    assert.equal(0x80090006, codes.of_text "0x80090006")
    assert.is_nil(codes.of_text "World Wide Web Publishing")
    assert.is_nil(codes.of_text "99999999999999")
  end)
end)
