-- hotfix_spec.lua: the table of KB 884872's hotfix, its judgement, and when diagnose mentions it

package.path = "tests/lua/?.lua;lua/?.lua;lua/?/init.lua;" .. package.path

local bytes = require "bytes"
local diagnosis = require "keymend.diagnosis"
local fake = require "fake"
local finding = require "keymend.finding"
local hotfix = require "keymend.hotfix"
local kb = require "hotfix"
local policy = require "keymend.policy"

local NAMES = 42 -- in the KB's table, each once

-- The KB's versions, but for `changes` (by name; false: absent; { message, code }: it cannot be read).
local function versions_with(changes)
  local versions = {}
  for _, row in ipairs(kb.rows()) do versions[row.name:lower()] = row.version end
  for name, version in pairs(changes or {}) do versions[name:lower()] = version end
  return versions
end

local function windows(changes, info)
  return fake.target({}, { versions = versions_with(changes), info = info })
end

local function file_of(result, name)
  for _, file in ipairs(result.files) do
    if file.name == name then return file end
  end
end

local function none(list)
  local versions = {}
  for _, row in ipairs(kb.rows()) do versions[row.name] = false end
  for name, version in pairs(list or {}) do versions[name] = version end
  return versions
end

describe("the table of the hotfix", function()
  it("has every row of the KB, in its order", function()
    local rows = kb.rows()
    assert.equal(45, #rows)
    assert.equal(#rows, #hotfix.rows)
    for index, row in ipairs(rows) do
      local own = hotfix.rows[index]
      assert.same({ row.name, row.version, row.time, row.size }, { own[1], own[2], bytes.seconds(own[3]), own[4] })
    end
  end)

  it("says the same of a file that stands twice", function()
    local seen, twice = {}, {}
    for _, row in ipairs(hotfix.rows) do
      if seen[row[1]] then
        twice[#twice + 1] = row[1]
        assert.same(seen[row[1]], row)
      end
      seen[row[1]] = row
    end
    assert.same({ "Kernel32.dll", "Win32k.sys", "Winsrv.dll" }, twice)
  end)
end)

describe("versions", function()
  it("are compared part by part, as numbers", function()
    for _, case in ipairs {
      { "5.0.2195.6968", "5.0.2195.6968", 0 }, { "5.0.2195.999", "5.0.2195.6968", -1 },
      { "5.0.2195.10000", "5.0.2195.6968", 1 }, { "5.0.3000.1", "5.0.2195.6968", 1 },
      { "5.131.2195.1", "5.0.2195.6968", 1 }, { "4.90.9999.9999", "5.0.0.0", -1 }, { "5.0.2195.0", "5.0.2195", 0 },
    } do
      local found = hotfix.compare(case[1], case[2])
      assert.equal(case[3], found == 0 and 0 or found / math.abs(found), case[1] .. " and " .. case[2])
      assert.equal(-found, hotfix.compare(case[2], case[1]))
    end
  end)
end)

describe("the judgement", function()
  it("is that it is in place when no file is older", function()
    local result = hotfix.judge(windows { ["Advapi32.dll"] = "5.0.2195.7038", ["Ntdsa.dll"] = false,
      ["Rdpwd.sys"] = false })
    assert.equal("in-place", result.verdict)
    assert.equal(NAMES, #result.files)
    assert.equal("absent", file_of(result, "Ntdsa.dll").state)
    assert.equal("C:\\WINNT\\system32\\drivers\\ksecdd.sys", file_of(result, "Ksecdd.sys").path)
    assert.equal("C:\\WINNT\\system32\\win32k.sys", file_of(result, "Win32k.sys").path)
    assert.is_nil(hotfix.finding(result))
  end)

  it("names what is older", function()
    local result = hotfix.judge(windows { ["Advapi32.dll"] = "5.0.2195.6710", ["Lsass.exe"] = false,
      ["Mpr.dll"] = { "cannot be read", "access" } })
    assert.equal("older", result.verdict)
    assert.equal(1, result.older)
    assert.equal(NAMES - 2, result.read)
    assert.equal("older", file_of(result, "Advapi32.dll").state)
    assert.equal("unreadable", file_of(result, "Mpr.dll").state)
    assert.equal("cannot be read", file_of(result, "Mpr.dll").problem)
    local made = hotfix.finding(result)
    assert.equal("info", made.severity)
    assert.equal("Advapi32.dll is 5.0.2195.6710; the hotfix has 5.0.2195.6968", made.evidence[1].text)
  end)

  it("shows a few of many older files", function()
    local versions = {}
    for _, row in ipairs(kb.rows()) do versions[row.name] = "5.0.2195.1" end
    local made = hotfix.finding(hotfix.judge(windows(versions)))
    assert.equal(5, #made.evidence)
    assert.equal("and 38 more", made.evidence[5].text)
    assert.truthy(made.text:find("42 of its 42 files", 1, true))
  end)

  it("needs Service Pack 3; 4 counts", function()
    for pack, verdict in pairs { ["Service Pack 4"] = "in-place", ["Service Pack 3"] = "in-place",
      ["Service Pack 2"] = "service-pack", [""] = "service-pack" } do
      assert.equal(verdict, hotfix.judge(windows({}, { service_pack = pack })).verdict, pack)
    end
    local made = hotfix.finding(hotfix.judge(windows({}, { service_pack = "" })))
    assert.truthy(made.text:find("needs Service Pack 3, and this Windows has no service pack", 1, true))
  end)

  it("is for Windows 2000 alone", function()
    for _, version in ipairs { "4.0", "5.1", "5.2", "6.0", "10.0" } do
      local result = hotfix.judge(windows({}, { version = version }))
      assert.equal("not-applicable", result.verdict)
      assert.same({}, result.files)
    end
    local result = hotfix.judge(windows({}, { version = "" }))
    assert.equal("unknown", result.verdict)
    assert.truthy(result.problem:find "registry")
  end)

  it("is open where files cannot be read or have to be there and are not", function()
    local result = hotfix.judge(windows { ["Mpr.dll"] = { "no", "damaged" }, ["Gdi32.dll"] = { "no", "io" } })
    assert.equal("unknown", result.verdict)
    assert.equal("the version of Gdi32.dll, Mpr.dll cannot be read", result.problem)
    assert.equal("Lsass.exe, Mpr.dll are not here",
      hotfix.judge(windows { ["Mpr.dll"] = false, ["Lsass.exe"] = false }).problem)
    assert.equal("none of its files is in the Windows folder", hotfix.judge(windows(none())).problem)
    assert.equal("none of its files can be read", hotfix.judge(windows(none { ["Mpr.dll"] = { "no", "io" } })).problem)
    assert.truthy(hotfix.finding(result).text:find("Nobody can tell", 1, true))
  end)
end)

describe("diagnose", function()
  local function adopted(changes, info)
    local key = fake.key(fake.NEW, { made = fake.RESET - 1000 * fake.DAY })
    return fake.target({ key }, { versions = versions_with(changes), info = info, transactions = { {
      id = "20261123T121959Z-3f9a2c", state = "committed", begun = fake.RESET, ended = fake.RESET,
      files = { { before = fake.name(fake.OLD), after = key.name, sha256 = key.sha256 } },
    } } })
  end

  local function run(target)
    return assert(diagnosis.run(target, assert(policy.load_all { "iis5" })))
  end

  local function mention(made)
    for _, one in ipairs(made.findings) do
      if one.id == "hotfix.missing" then return one end
    end
  end

  it("mentions it as prevention after a repair", function()
    local made = run(adopted { ["Advapi32.dll"] = "5.0.2195.6710" })
    assert.equal("healthy", made.verdict)
    local one = assert(mention(made))
    assert.equal("info", one.severity)
    assert.same({ "keymend hotfix" }, one.commands)
    assert.truthy(one.remedy:find("prevents the next reset; it repairs nothing", 1, true))
    assert.is_false(finding.at_least(one, "warning"))
  end)

  it("says when it cannot be told, and nothing where nothing can be read", function()
    assert.truthy(mention(run(adopted { ["Mpr.dll"] = { "no", "io" } })).text:find("Nobody can tell", 1, true))
    assert.is_nil(mention(run(adopted(none()))))
    assert.truthy(mention(run(adopted(none(), { service_pack = "Service Pack 1" }))))
  end)

  it("does not mention it where it is in place, is for another Windows, or nothing was adopted", function()
    assert.is_nil(mention(run(adopted {})))
    local target = adopted { ["Advapi32.dll"] = "5.0.2195.6710" }
    target.transactions = {}
    assert.equal("healthy", run(target).verdict)
    assert.is_nil(mention(run(target)))
  end)
end)
