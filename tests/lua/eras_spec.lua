-- eras_spec.lua: the order of the master keys that key files name

package.path = "tests/lua/?.lua;lua/?.lua;lua/?/init.lua;" .. package.path

local diagnosis = require "keymend.diagnosis"
local fake = require "fake"

local OLD, NEW, THIRD, DAY, RESET = fake.OLD, fake.NEW, fake.THIRD, fake.DAY, fake.RESET
local LONG_AGO = RESET - 1000 * DAY
local FIRST, SECOND = "9f6a3c52-0c3e-4b51-8d27-5a41e0c6b7d9", "5b0e7a64-2f19-4c83-b6d1-0a9e8c7f3d25"

local function key(guid, made, master_key, more)
  local one = fake.key(guid, { made = made, signature = { bits = 1024, master_key = master_key } })
  for name, value in pairs(more or {}) do one[name] = value end
  return one
end

local function judge(keys, times)
  local target = fake.target(keys, { master_keys = { [FIRST] = true, [SECOND] = true },
    master_key_times = times or { [FIRST] = LONG_AGO - 60, [SECOND] = RESET + 80 } })
  return assert(diagnosis.run(target, { fake.policy() })), target
end

local function era_rows(found)
  local rows = {}
  for _, row in ipairs(found.findings[1].evidence) do
    if row.kind == "era" then rows[#rows + 1] = row.text end
  end
  return rows
end

describe("master keys", function()
  it("are told in their order, with the key files that name them", function()
    local found = judge { key(OLD, LONG_AGO, FIRST), key(NEW, RESET + 82, SECOND) }
    local eras = found.cases[1].eras
    assert.same({ FIRST, SECOND }, { eras[1].master_key, eras[2].master_key })
    assert.same({ fake.name(OLD) }, eras[1].keys)
    assert.equal("created", eras[1].source)
    assert.equal(fake.ticks(LONG_AGO - 60), eras[1].ticks)
    local rows = era_rows(found)
    assert.equal(3, #rows)
    assert.matches("after that of " .. fake.name(OLD):gsub("%p", "%%%0"), rows[2])
    assert.equal("the order of the master keys is that of the creation times", rows[3])
    assert.is_nil(fake.finding(found, "key.era-contradiction"))
  end)

  it("say nothing where there is one for all, or none is dated", function()
    local found = judge { key(OLD, LONG_AGO, FIRST), key(NEW, RESET + 82, FIRST) }
    assert.same({}, era_rows(found))
    assert.equal(1, #found.cases[1].eras)
    found = judge({ key(OLD, LONG_AGO, FIRST), key(NEW, RESET + 82, SECOND) }, { [FIRST] = LONG_AGO })
    assert.same({}, era_rows(found))
    assert.is_nil(found.cases[1].eras[2].time)
    assert.same({}, era_rows((judge({ key(OLD, LONG_AGO, FIRST), key(NEW, RESET + 82, SECOND) },
      { [FIRST] = RESET, [SECOND] = RESET + 60 }))))
  end)

  it("order files whose own times are useless", function()
    local found = judge { key(OLD, RESET, FIRST), key(NEW, RESET, SECOND) }
    assert.equal("key.times-useless", found.findings[1].id)
    assert.equal(2, #era_rows(found))
  end)

  describe("order them for a policy that says so", function()
    local function by_era(keys, times, more)
      local options = { master_keys = { [FIRST] = true, [SECOND] = true },
        master_key_times = times or { [FIRST] = LONG_AGO - 60, [SECOND] = RESET + 80 } }
      for name, value in pairs(more or {}) do options[name] = value end
      return fake.lines(assert(diagnosis.run(fake.target(keys, options), { fake.policy { adopt = {
        rule = "first_of", { rule = "proved" }, { rule = "master_key_era" } } } })))
    end
    local REFUSED = "error key.times-useless"

    it("the current key file goes when its master key is the newest", function()
      assert.same({ "error key.regenerated" }, by_era { key(OLD, RESET, FIRST), key(NEW, RESET, SECOND) })
      assert.same({ "error key.regenerated" }, by_era { key(OLD, RESET, FIRST, { created_source = "birth" }),
        key(NEW, RESET + 5, SECOND, { created_source = "birth" }) })
    end)

    it("nothing goes when it is not, or less than a day newer", function()
      assert.same({ REFUSED }, by_era { key(OLD, RESET, SECOND), key(NEW, RESET, FIRST) })
      assert.same({ REFUSED }, by_era({ key(OLD, RESET, FIRST), key(NEW, RESET, SECOND) },
        { [FIRST] = RESET - DAY + 120, [SECOND] = RESET + 80 }))
      assert.same({ REFUSED }, by_era { key(OLD, RESET, FIRST), key(THIRD, RESET, SECOND), key(NEW, RESET, SECOND) })
      assert.same({ REFUSED }, by_era({ key(OLD, RESET, FIRST), key(NEW, RESET, SECOND) }, { [FIRST] = LONG_AGO }))
    end)

    it("nothing goes when a candidate is younger than the reset", function()
      assert.same({ REFUSED }, by_era({ key(OLD, RESET, FIRST), key(NEW, RESET, SECOND) },
        { [FIRST] = RESET + DAY, [SECOND] = RESET + 9 * DAY }))
    end)

    it("nothing goes where the creation times of the master keys are those of a copy", function()
      local target = fake.target({ key(OLD, RESET, FIRST), key(NEW, RESET, SECOND) }, { master_keys = {
        [FIRST] = true, [SECOND] = true } })
      target.master_key = function(_, guid)
        local made = guid == FIRST and LONG_AGO or RESET + 80
        return { created = made, created_ticks = fake.ticks(made), created_source = "birth", written = made,
          written_ticks = fake.ticks(made) }
      end
      assert.same({ REFUSED }, fake.lines(assert(diagnosis.run(target, { fake.policy { adopt = {
        rule = "master_key_era" } } }))))
    end)
  end)

  it("that contradict the creation times are a finding", function()
    local found = judge { key(OLD, LONG_AGO, SECOND), key(NEW, RESET + 82, FIRST) }
    assert.same({ "error key.regenerated", "warning key.era-contradiction" }, fake.lines(found))
    -- the order, and a file before its master key
    assert.equal(2, #fake.finding(found, "key.era-contradiction").evidence)
  end)

  it("are asked for once, and compared within bounds", function()
    local keys, asked = { key(NEW, RESET + 82, SECOND) }, 0
    for index = 1, 300 do
      keys[#keys + 1] = key(("%08x-53ab-4f0e-a2c6-90b1d4e8f327"):format(index), RESET - 10 * index, FIRST)
    end
    local target = fake.target(keys, { master_keys = { [FIRST] = true, [SECOND] = true } })
    target.master_key = function(_, guid)
      asked = asked + 1
      local made = guid == FIRST and RESET + 90 * DAY or LONG_AGO
      return { created = made, created_ticks = fake.ticks(made), created_source = "ntfs", written = made }
    end
    local found = assert(diagnosis.run(target, { fake.policy() }))
    assert.equal(2, asked)
    assert.equal(30, #found.cases[1].era_rows)
  end)

  it("by the last write where creation times are not stored", function()
    local target = fake.target { key(OLD, LONG_AGO, FIRST), key(THIRD, LONG_AGO + 200 * DAY, SECOND) }
    target.master_key = function(_, guid)
      return { created = RESET, created_source = "birth", written = guid == FIRST and LONG_AGO or LONG_AGO + 100 * DAY,
        written_ticks = "1" }
    end
    local eras = assert(diagnosis.run(target, { fake.policy() })).cases[1].eras
    assert.equal("written", eras[2].source)
    assert.equal(LONG_AGO + 100 * DAY, eras[2].time)
  end)
end)
