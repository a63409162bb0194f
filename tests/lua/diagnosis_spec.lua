-- diagnosis_spec.lua: what keymend says of a store, on fake targets

package.path = "tests/lua/?.lua;lua/?.lua;lua/?/init.lua;" .. package.path

local diagnosis = require "keymend.diagnosis"
local fake = require "fake"

local OLD, NEW, THIRD, DAY, RESET = fake.OLD, fake.NEW, fake.THIRD, fake.DAY, fake.RESET
local LONG_AGO = RESET - 1000 * DAY

local function judge(keys, more, options, policies)
  local target = fake.target(keys, more)
  local found, message, code = diagnosis.run(target, policies or { fake.policy() }, options)
  return found, message, code, target
end

local function lines(...)
  return fake.lines((judge(...)))
end

local function verdict(...)
  local found = judge(...)
  return found.cases[1].verdict, found
end

-- The KB's case: an old key, and one that Windows made after the reset.
local function kb(old, new)
  return { fake.key(OLD, old or { made = LONG_AGO }), fake.key(NEW, new or { made = RESET + 82 }) }
end

describe("several policies for one container", function()
  local function with(narrow, name)
    local applies = { rule = "all_of" }
    for index = 1, narrow do applies[index] = { rule = "windows", from = "5.0" } end
    return fake.policy { name = name, applies = applies }
  end

  it("leave it to the most specific, in whatever order they are named", function()
    local a, b, c = with(1, "a"), with(3, "b"), with(1, "c")
    for _, order in ipairs { { a, b, c }, { a, c, b }, { b, a, c }, { c, a, b } } do
      local found, message = judge(kb(), nil, nil, order)
      assert.truthy(found, message)
      assert.equal("b", found.cases[1].policy.name)
    end
    local found, message, code = judge(kb(), nil, nil, { a, with(1, "d"), c })
    assert.is_nil(found)
    assert.equal("policy", code)
    assert.truthy(message:find("equally specific", 1, true))
  end)
end)

describe("services without an order", function()
  it("are told, and apply refuses them", function()
    local found = judge(kb(), { order_error = "out of memory" })
    assert.truthy(fake.finding(found, "service.unreadable").text:find("out of memory", 1, true))
    local plan = require("keymend.plan").make(found)
    assert.truthy(plan:obstacle():find("order in which services stop and start cannot be told: out of memory", 1, true))
    assert.same({}, plan.stop)
  end)
end)

describe("one container", function()
  it("is healthy with its current key alone", function()
    local found = judge { fake.key(NEW, { made = LONG_AGO }) }
    assert.same({ "info key.healthy" }, fake.lines(found))
    assert.equal("healthy", found.verdict)
  end)

  it("is absent without any file", function()
    assert.same({ "warning key.absent" }, lines {})
  end)

  it("is orphaned with one foreign key alone", function()
    local made, found = verdict { fake.key(OLD, { made = LONG_AGO }) }
    assert.same({ "error key.orphaned" }, fake.lines(found))
    assert.equal(fake.name(OLD), made.adopt.name)
    assert.is_nil(made.retire)
    assert.equal("repair", found.verdict)
  end)

  it("is regenerated in the KB's case", function()
    local made, found = verdict(kb())
    assert.same({ "error key.regenerated" }, fake.lines(found))
    assert.equal(fake.name(OLD), made.adopt.name)
    assert.equal(fake.name(NEW), made.retire.name)
    assert.is_true(found.findings[1].fixable)
  end)

  it("tells every piece of evidence with its time", function()
    local _, found = verdict(kb())
    local times = {}
    for _, one in ipairs(found.findings[1].evidence) do times[#times + 1] = one.time end
    assert.same({ LONG_AGO, RESET, RESET + 82, RESET + 82 }, times)
  end)

  it("surveys once and inspects its own files only", function()
    local keys = kb()
    for index = 1, 50 do
      local key = fake.key(OLD, { made = LONG_AGO })
      key.name = ("%032x_%s"):format(index, OLD)
      keys[#keys + 1] = key
    end
    local _, _, _, target = judge(keys)
    assert.equal(1, target.surveys)
    assert.equal(2, target.inspected)
  end)
end)

describe("times", function()
  it("decide nothing when they are equal", function()
    assert.same({ "error key.times-useless" }, lines(kb({ made = RESET + 82 }, { made = RESET + 84 })))
  end)

  it("decide just beyond the tolerance", function()
    assert.same({ "error key.regenerated" }, lines(kb({ made = RESET - 1 }, { made = RESET + 2 })))
  end)

  it("decide nothing when the file was copied", function()
    local found = judge(kb({ made = LONG_AGO, written = LONG_AGO - DAY }))
    assert.same({ "error key.times-useless" }, fake.lines(found))
    assert.truthy(found.findings[1].evidence[1].text:find("copy", 1, true))
  end)

  it("decide nothing when another file system keeps them", function()
    assert.same({ "error key.times-useless" }, lines(kb({ made = LONG_AGO, created_source = "birth" })))
  end)

  it("count from a times file", function()
    local source = { made = LONG_AGO, created_source = "times-file" }
    assert.same({ "error key.regenerated" }, lines(kb(source, { made = RESET + 82, created_source = "times-file" })))
  end)

  it("of two sources are never compared", function()
    local early, late = { made = LONG_AGO, created_source = "times-file" }, { made = RESET + 82 }
    local found = judge(kb(early, late))
    assert.same({ "error key.times-useless" }, fake.lines(found))
    assert.truthy(found.findings[1].evidence[1].text:find("--times does not tell", 1, true))
    local newer = { made = RESET + 82, created_source = "times-file" }
    assert.same({ "error key.times-useless" }, lines(kb({ made = LONG_AGO }, newer)))
    assert.same({ "error key.times-useless" }, lines(kb({ made = RESET + 90 }, { made = LONG_AGO,
      created_source = "times-file" })))
    assert.same({ "error key.times-useless" }, lines(kb(), nil, { times = "t.body" }))
  end)

  it("of a name that keymend gave to another file prove nothing", function()
    local keys = {
      fake.key(OLD, { made = LONG_AGO, created_source = "times-file" }),
      fake.key(NEW, { made = RESET + 82, created_source = "times-file" }),
    }
    local file = { before = fake.name(THIRD), after = fake.name(OLD), sha256 = keys[1].sha256,
      created = LONG_AGO - DAY }
    for _, state in ipairs { "committed", "purged" } do
      local history = { { id = "t", state = state, result = "committed", ended = RESET, files = { file } } }
      assert.same({ "error key.times-useless" }, lines(keys, { transactions = history }))
    end
    local history = { { id = "t", state = "undone", ended = RESET, files = { file } } }
    assert.same({ "error key.regenerated" }, lines(keys, { transactions = history }))
    history[1].state, file.created = "committed", LONG_AGO
    assert.same({ "error key.regenerated" }, lines(keys, { transactions = history }))
  end)

  it("of a user's file prove nothing and disturb nothing", function()
    local keys = kb()
    keys[3] = fake.key(THIRD, { made = RESET + 82, owner = "uid:1000", owner_trusted = false })
    assert.same({ "error key.regenerated", "warning key.foreign-owner" }, lines(keys))
    keys[3].made, keys[3].created = RESET + DAY, RESET + DAY
    assert.same({ "error key.regenerated", "warning key.foreign-owner" }, lines(keys, nil, { onset = RESET + DAY }))
    local early = { made = LONG_AGO - DAY, owner = "uid:1000", owner_trusted = false }
    local found = judge(kb(nil, early))
    assert.same({ "error key.times-useless", "error key.foreign-owner" }, fake.lines(found))
    assert.truthy(found.findings[1].evidence[1].text:find("its owner may set its times", 1, true))
  end)

  it("decide nothing when they are not known", function()
    assert.same({ "error key.times-useless" }, lines(kb({ created_source = "none" })))
  end)

  it("do not matter for an orphan alone", function()
    assert.same({ "error key.orphaned" }, lines { fake.key(OLD, { created_source = "none" }) })
  end)

  it("do not even help a backup hive", function()
    local info = { old_guids = { { guid = OLD, path = "C:\\WINNT\\repair\\software", saved = LONG_AGO } } }
    assert.same({ "error key.times-useless" }, lines(kb({ created_source = "none" }), { info = info }))
  end)

  it("that are unknown on this volume are told", function()
    local info = { capabilities = { { id = "creation-times", available = false, text = "ext4 keeps none." } } }
    local found = judge(kb(), { info = info })
    assert.truthy(fake.finding(found, "times.unavailable").text:find("ext4 keeps none", 1, true))
  end)
end)

describe("old and new", function()
  it("with a newer foreign key is left alone", function()
    local made, found = verdict { fake.key(NEW, { made = LONG_AGO }), fake.key(OLD, { made = RESET - DAY }) }
    assert.same({ "info key.newer-foreign" }, fake.lines(found))
    assert.is_true(made.healthy)
    assert.is_nil(made.adopt)
  end)

  it("with a newer and an older foreign key is left alone too", function()
    local found = judge {
      fake.key(NEW, { made = LONG_AGO }), fake.key(OLD, { made = RESET - DAY }),
      fake.key(THIRD, { made = LONG_AGO - DAY }),
    }
    assert.same({ "info key.newer-foreign" }, fake.lines(found))
  end)

  it("refuses when an older key was made after the machine GUID's registry key was written", function()
    local keys = { fake.key(OLD, { made = RESET + DAY }), fake.key(NEW, { made = RESET + 2 * DAY }) }
    local found = judge(keys)
    assert.same({ "error key.times-useless" }, fake.lines(found))
    assert.truthy(found.findings[1].text:find("after the registry key", 1, true))
    assert.equal("refused", found.verdict)
    keys[3] = fake.key(THIRD, { made = LONG_AGO })
    found = judge(keys)
    assert.same({ "error key.times-useless" }, fake.lines(found))
    assert.equal(2, #found.findings[1].commands)
    assert.equal(OLD, verdict(keys, nil, { adopt = { fake.name(OLD) } }).adopt.guid)
  end)

  it("onset nearest another file is refused", function()
    local found = judge(kb(), nil, { onset = LONG_AGO + DAY })
    assert.same({ "error key.onset-mismatch" }, fake.lines(found))
    assert.equal("refused", found.verdict)
  end)

  it("onset near the current file is right", function()
    assert.same({ "error key.regenerated" }, lines(kb(), nil, { onset = RESET + DAY }))
  end)
end)

describe("several candidates", function()
  local function three(more)
    return {
      fake.key(OLD, { made = LONG_AGO }), fake.key(NEW, more or { made = RESET + 82 }),
      fake.key(THIRD, { made = RESET - 100 * DAY }),
    }
  end
  local function backup(guid, saved)
    return { guid = guid, path = "C:\\WINNT\\repair\\software", saved = saved, saved_ticks = fake.ticks(saved) }
  end

  it("are ambiguous without evidence, both shown", function()
    local found = judge(three())
    assert.same({ "error key.ambiguous" }, fake.lines(found))
    assert.equal(2, #found.findings[1].keys)
    assert.equal(2, #found.findings[1].commands)
    assert.equal("refused", found.verdict)
  end)

  it("are decided by the one that a backup hive names", function()
    for _, guid in ipairs { OLD, THIRD } do
      local made = verdict(three(), { info = { old_guids = { backup(guid, RESET - DAY) } } })
      assert.equal(guid, made.adopt.guid)
    end
  end)

  it("stay ambiguous when backup hives name both", function()
    local info = { old_guids = { backup(OLD, LONG_AGO), backup(THIRD, RESET - DAY) } }
    assert.same({ "error key.ambiguous" }, lines(three(), { info = info }))
  end)

  it("are not decided by a backup that contradicts itself", function()
    local info = { old_guids = { backup(OLD, RESET + 10 * DAY) } }
    assert.same({ "error key.ambiguous", "warning onset.contradiction" }, lines(three(), { info = info }))
  end)

  it("say so when the backup is older than another candidate", function()
    local made = verdict(three(), { info = { old_guids = { backup(OLD, LONG_AGO + DAY) } } })
    assert.equal(OLD, made.adopt.guid)
    assert.truthy(made.reason:find("it was saved before " .. fake.name(THIRD), 1, true))
    made = verdict(three(), { info = { old_guids = { backup(THIRD, RESET - DAY) } } })
    assert.is_nil(made.reason:find("it was saved before", 1, true))
  end)

  it("with the same bytes are one", function()
    local keys = three()
    keys[3].sha256 = keys[1].sha256
    local made = verdict(keys)
    assert.equal(OLD, made.adopt.guid)
    keys[1].created_source = "none"
    assert.equal(THIRD, verdict(keys).adopt.guid)
    made = verdict({ keys[1], keys[3] }, { info = { old_guids = { backup(OLD, LONG_AGO) } } })
    assert.equal(THIRD, made.adopt.guid)
    assert.truthy(made.reason:find("backup hive", 1, true))
    assert.equal(OLD, verdict(keys, nil, { adopt = { fake.name(OLD) } }).adopt.guid)
  end)

  it("are decided by --adopt", function()
    local made, found = verdict(three(), nil, { adopt = { fake.name(THIRD) } })
    assert.same({ "error key.regenerated" }, fake.lines(found))
    assert.equal(THIRD, made.adopt.guid)
    assert.equal(NEW, made.retire.guid)
  end)

  it("without a current one are ambiguous too", function()
    local keys = three()
    table.remove(keys, 2)
    assert.same({ "error key.ambiguous" }, lines(keys))
  end)
end)

describe("faults", function()
  local FAULTS = {
    { "key.damaged", { status = "damaged", damage = "cut off" } },
    { "key.name-mismatch", { container = "MS IIS DCOM Server", container_hash = "7a436fe806e483969f48a894af2fe9a1" } },
    { "key.keyless", { keyless = true, none = { "signature" } } },
    { "key.foreign-owner", { owner = "uid:1000", owner_trusted = false } },
    { "key.hard-link", { links = 2 } },
    { "key.reparse", { reparse = true, regular = false, status = "outside", none = { "container_hash" } } },
    { "key.disproved", { signature = { bits = 1024, master_key = "00000000-0000-0000-0000-000000000001" } } },
  }
  local function with(fields, made)
    local all = { made = made or LONG_AGO }
    for name, value in pairs(fields) do all[name] = value end
    return all
  end

  for _, fault in ipairs(FAULTS) do
    local id, fields = fault[1], fault[2]
    it(id .. ": the only old key is lost", function()
      assert.same({ "error key.lost", "warning " .. id }, lines { fake.key(OLD, with(fields)) })
    end)
    it(id .. ": only info beside a healthy key", function()
      local found = judge(kb(with(fields)))
      assert.same({ "info key.healthy", "info key.leftover", "info " .. id }, fake.lines(found))
    end)
    it(id .. ": does not hide the sound candidate", function()
      local keys = kb()
      keys[3] = fake.key(THIRD, with(fields, LONG_AGO - DAY))
      local made, found = verdict(keys)
      assert.equal(OLD, made.adopt.guid)
      assert.same({ "error key.regenerated", "warning " .. id }, fake.lines(found))
    end)
    it(id .. ": is an error on the current key alone", function()
      local found = judge { fake.key(NEW, with(fields)) }
      assert.equal("error", fake.finding(found, id).severity)
      assert.is_true(found:grave "error")
    end)
  end

  it("of the current key leave no plan", function()
    for _, id in ipairs { "key.damaged", "key.name-mismatch", "key.hard-link", "key.reparse" } do
      for _, fault in ipairs(FAULTS) do
        if fault[1] == id then
          local made, found = verdict(kb(nil, with(fault[2], RESET + 82)))
          assert.is_nil(made.adopt, id)
          assert.equal("error " .. id, fake.lines(found)[1])
        end
      end
    end
  end)

  it("a keyless current key gives way whatever the times", function()
    local made = verdict(kb({ created_source = "none" }, { keyless = true, created_source = "none" }))
    assert.equal(NEW, made.retire.guid)
    assert.equal(OLD, made.adopt.guid)
  end)

  it("a current key that cannot be decrypted gives way too", function()
    local gone = { bits = 1024, master_key = "00000000-0000-0000-0000-000000000001" }
    local made = verdict(kb({ created_source = "none" }, { signature = gone, created_source = "none" }))
    assert.equal(OLD, made.adopt.guid)
  end)

  it("nothing is disproved where there is no Protect folder", function()
    local target = fake.target { fake.key(OLD, { made = LONG_AGO }) }
    target.master_keys = nil
    assert.same({ "error key.orphaned" }, fake.lines((diagnosis.run(target, { fake.policy() }))))
  end)

  it("a file that cannot be read blocks the judgement", function()
    local keys = kb()
    keys[3] = fake.key(THIRD, { made = LONG_AGO, status = "access", none = { "container_hash", "signature" } })
    local found = judge(keys)
    assert.same({ "error key.unreadable" }, fake.lines(found))
    assert.equal("refused", found.verdict)
  end)

  it("what a user or a renaming hand made does not block it", function()
    local unread = { made = LONG_AGO - DAY, status = "access", none = { "container_hash", "signature", "sha256" } }
    local keys = kb()
    keys[3] = fake.key(THIRD, with { status = "access", owner = "uid:1000", owner_trusted = false })
    keys[4] = fake.key(NEW, unread)
    keys[4].name = fake.name(NEW) .. ".OLD"
    assert.same({ "error key.regenerated", "warning key.stray", "warning key.foreign-owner" }, lines(keys))
    keys[3].owner = nil -- it could not be looked at
    assert.same({ "error key.unreadable", "warning key.stray", "warning key.foreign-owner" }, lines(keys))
  end)

  it("a file larger than any key file is damaged, not unreadable", function()
    local keys = kb()
    keys[3] = fake.key(THIRD, with({ status = "limit", size = 70000, none = { "container_hash", "signature" } },
      LONG_AGO - DAY))
    assert.same({ "error key.regenerated", "warning key.damaged" }, lines(keys))
    keys[3].size = 2658 -- as with too many open files
    assert.same({ "error key.unreadable" }, lines(keys))
  end)

  it("a folder with the current name is an error, and nothing is adopted", function()
    local folder = { regular = false, status = "refused", links = 2, none = { "container_hash", "signature" } }
    local made, found = verdict(kb(nil, folder))
    assert.is_nil(made.adopt)
    assert.same({ "error key.reparse" }, fake.lines(found))
    assert.truthy(found.findings[1].evidence[1].text:find("folder", 1, true))
    assert.same({}, found.findings[1].commands)
    assert.truthy(verdict(kb(nil, folder), nil, { adopt = { fake.name(OLD) } }).refused)
  end)

  it("names that differ by case alone are refused", function()
    local upper = fake.key(NEW, { made = LONG_AGO, name = fake.name(NEW):upper() })
    assert.same({ "error key.ambiguous" }, lines { upper, fake.key(NEW, { made = RESET + 82 }) })
  end)

  it("an upper-case name is info", function()
    local key = fake.key(OLD, { made = LONG_AGO, name = fake.HASH .. "_" .. OLD:upper(), upper = true })
    assert.same({ "error key.orphaned", "info key.upper-case" }, lines { key })
  end)

  it("more files than can be judged are refused without reading them", function()
    local keys = {}
    for index = 1, 1000 do
      local name = fake.HASH .. ("_%08x-0000-4000-8000-000000000000"):format(index)
      keys[index] = fake.key(OLD, { made = LONG_AGO, name = name })
    end
    local found, _, _, target = judge(keys, { truncated = true })
    assert.same({ "error key.too-many" }, fake.lines(found))
    assert.equal(0, target.inspected)
  end)

  it("more files than can be judged leave --adopt", function()
    local keys = { fake.key(NEW, { made = RESET + 82 }) }
    for index = 1, 1000 do
      local name = fake.HASH .. ("_%08x-0000-4000-8000-000000000000"):format(index)
      keys[index + 1] = fake.key(OLD, { made = LONG_AGO, name = name })
    end
    local made, found = verdict(keys, { truncated = true }, { adopt = { keys[8].name } })
    assert.equal(keys[8].name, made.adopt.name)
    assert.equal(fake.name(NEW), made.retire.name)
    assert.same({ "error key.regenerated" }, fake.lines(found))
    assert.is_nil(verdict(keys, { truncated = true }, { retire = { fake.name(NEW) } }).retire)
    table.remove(keys, 1)
    keys[1000] = fake.key(OLD, { made = LONG_AGO }) -- the survey gave no more than 1,000
    assert.same({ "error key.orphaned" }, lines(keys, { truncated = true }, { adopt = { fake.name(OLD) } }))
  end)

  it("any number of strays does not hide the others", function()
    local keys = kb()
    for index = 1, 1000 do
      keys[index + 2] = fake.key(OLD, { made = LONG_AGO - DAY, name = fake.HASH .. "_p" .. index })
    end
    local found = judge(keys, { truncated = true })
    assert.same({ "error key.regenerated", "warning key.stray" }, fake.lines(found))
    local stray = fake.finding(found, "key.stray")
    assert.equal(1000, #stray.keys)
    assert.equal(31, #stray.evidence)
    assert.truthy(stray.evidence[1].text:find("only 1000", 1, true))
    assert.equal("and 971 more", stray.evidence[31].text)
  end)
end)

describe("files renamed by hand", function()
  local function stray(suffix, fields)
    fields = fields or { made = LONG_AGO }
    fields.name = fake.name(NEW) .. suffix
    return fake.key(NEW, fields)
  end

  it("are never adopted by rule", function()
    assert.same({ "error key.lost", "warning key.stray" }, lines { stray ".OLD" })
  end)

  it("do not disturb the orphan beside them", function()
    local made, found = verdict { fake.key(OLD, { made = LONG_AGO }), stray(".OLD", { made = RESET + 82 }) }
    assert.equal(OLD, made.adopt.guid)
    assert.same({ "error key.orphaned", "warning key.stray" }, fake.lines(found))
  end)

  it("are adopted by --adopt", function()
    local made = verdict({ stray ".OLD" }, nil, { adopt = { fake.name(NEW) .. ".OLD" } })
    assert.equal(fake.name(NEW) .. ".OLD", made.adopt.name)
  end)

  it("are found by the container inside, whatever their name", function()
    local made = verdict({ fake.key(OLD, { made = LONG_AGO, name = "backup of the key" }) }, nil,
      { adopt = { "backup of the key" } })
    assert.equal("backup of the key", made.adopt.name)
  end)
end)

describe("overruling", function()
  it("--adopt of a damaged file is refused and changes no judgement", function()
    local found = judge({ fake.key(OLD, { made = LONG_AGO, status = "damaged" }) }, nil, { adopt = { fake.name(OLD) } })
    assert.same({ "error key.lost", "warning key.damaged" }, fake.lines(found))
    assert.equal("refused", found.verdict)
  end)

  it("a refused --adopt never falls back to another file", function()
    local keys = kb()
    keys[3] = fake.key(THIRD, { made = LONG_AGO, status = "damaged" })
    local made, found = verdict(keys, nil, { adopt = { fake.name(THIRD) } })
    assert.is_nil(made.adopt)
    assert.equal("refused", found.verdict)
  end)

  it("--adopt of a user's file is allowed and told", function()
    local made, found = verdict({ fake.key(OLD, { made = LONG_AGO, owner_trusted = false, owner = "uid:1000" }) }, nil,
      { adopt = { fake.name(OLD) } })
    assert.equal(OLD, made.adopt.guid)
    assert.same({ "error key.orphaned", "warning key.foreign-owner" }, fake.lines(found))
  end)

  it("--adopt of hard links and reparse points is refused", function()
    for _, fields in ipairs { { links = 2 }, { reparse = true } } do
      fields.made = LONG_AGO
      local made = verdict({ fake.key(OLD, fields) }, nil, { adopt = { fake.name(OLD) } })
      assert.is_nil(made.adopt)
      assert.truthy(made.refused)
    end
  end)

  it("--adopt of the current file is refused", function()
    assert.truthy(verdict(kb(), nil, { adopt = { fake.name(NEW) } }).refused)
  end)

  it("--adopt and --retire ignore the case of a name, and the plan has the file's own", function()
    local given = { adopt = { fake.name(OLD):upper() }, retire = { fake.name(NEW):upper() } }
    local made, found = verdict(kb({ created_source = "none" }), nil, given)
    assert.equal(fake.name(OLD), made.adopt.name)
    assert.equal(fake.name(NEW), made.retire.name)
    local plan = assert(require("keymend.plan").make(found))
    assert.equal(("--adopt %s --retire %s"):format(fake.name(OLD), fake.name(NEW)), plan.overrides)
    assert.equal(fake.name(OLD):upper(), given.adopt[1]) -- the caller's own list stays
  end)

  it("--adopt among names that differ by case alone takes the one that is written like it", function()
    local upper = fake.key(OLD, { made = LONG_AGO - DAY, name = fake.HASH .. "_" .. OLD:upper(), seed = 2 })
    local keys = { fake.key(OLD, { made = LONG_AGO }), upper }
    assert.equal(upper.name, verdict(keys, nil, { adopt = { upper.name } }).adopt.name)
    assert.equal(fake.name(OLD), verdict(keys, nil, { adopt = { fake.name(OLD) } }).adopt.name)
    local found, message, code = judge(keys, nil, { adopt = { fake.HASH:upper() .. "_" .. OLD } })
    assert.is_nil(found)
    assert.same({ "option", true }, { code, message:find("there is no file", 1, true) ~= nil or message })
  end)

  it("--adopt of a name that is not there is an error of the options", function()
    local found, message, code = judge(kb(), nil, { adopt = { "nothing" } })
    assert.is_nil(found)
    assert.equal("option", code)
    assert.truthy(message:find("nothing", 1, true))
  end)

  it("--adopt of what a transaction adopted already is done", function()
    local current = fake.key(NEW, { made = LONG_AGO })
    local txn = { id = "t", state = "committed", files = {
      { before = fake.name(OLD), after = fake.name(NEW), sha256 = current.sha256 },
    } }
    assert.same({ "info key.adopted" }, lines({ current }, { transactions = { txn } }, { adopt = { fake.name(OLD) } }))
  end)

  it("--retire takes the current file only", function()
    assert.truthy(verdict(kb(), nil, { retire = { fake.name(OLD) } }).refused)
    local made = verdict(kb({ created_source = "none" }), nil, { retire = { fake.name(NEW) } })
    assert.equal(OLD, made.adopt.guid)
    assert.equal(NEW, made.retire.guid)
  end)

  it("--retire without a candidate only retires", function()
    local made = verdict({ fake.key(NEW, { made = LONG_AGO }) }, nil, { retire = { fake.name(NEW) } })
    assert.equal(NEW, made.retire.guid)
    assert.is_nil(made.adopt)
  end)
end)

describe("a copy of the old key under the current name", function()
  local function copied(fields)
    fields.made = fields.made or RESET + 82
    local keys = kb(nil, fields)
    keys[2].sha256 = keys[1].sha256
    return keys
  end

  it("is healthy whatever the times", function()
    for _, fields in ipairs { {}, { created_source = "none" }, { made = LONG_AGO } } do
      local found = judge(copied(fields))
      assert.same({ "info key.healthy", "info key.leftover" }, fake.lines(found))
      assert.equal("healthy", found.verdict)
      assert.truthy(found.findings[1].evidence[1].text:find("same bytes as " .. fake.name(OLD), 1, true))
      assert.truthy(found.findings[2].evidence[1].text:find("the same key", 1, true))
    end
  end)

  it("is not when a user owns it", function()
    local found = judge(copied { owner = "uid:1000", owner_trusted = false })
    assert.same({ "error key.times-useless", "error key.foreign-owner" }, fake.lines(found))
  end)
end)

describe("history", function()
  local function adopted(sha256, state, result)
    return { { id = "20261123T121959Z-3f9a2c", state = state or "committed", result = result or state or "committed",
      ended = RESET + DAY, files = {
      { before = fake.name(OLD), after = fake.name(NEW), sha256 = sha256 },
    } } }
  end

  it("settles what keymend adopted", function()
    local current = fake.key(NEW, { made = RESET + 82 })
    local keys = { current, fake.key(THIRD, { made = LONG_AGO }) }
    assert.same({ "info key.adopted", "info key.leftover" }, lines(keys, { transactions = adopted(current.sha256) }))
  end)

  it("settles it when its vault was purged too", function()
    local current = fake.key(NEW, { made = RESET + 82 })
    local keys = { current, fake.key(THIRD, { made = LONG_AGO }) }
    local history = { transactions = adopted(current.sha256, "purged", "committed") }
    assert.same({ "info key.adopted", "info key.leftover" }, lines(keys, history))
    assert.same({ "info key.adopted" }, lines({ current }, history, { adopt = { fake.name(OLD) } }))
  end)

  it("settles nothing once it is undone, or for another file", function()
    local current = fake.key(NEW, { made = RESET + 82 })
    local keys = { current, fake.key(THIRD, { made = LONG_AGO }) }
    assert.same({ "error key.regenerated" }, lines(keys, { transactions = adopted(current.sha256, "undone") }))
    for _, result in ipairs { "undone", "rolled-back" } do
      local history = adopted(current.sha256, "purged", result)
      assert.same({ "error key.regenerated" }, lines(keys, { transactions = history }))
    end
    assert.same({ "error key.regenerated" }, lines(keys, { transactions = adopted(("0"):rep(64)) }))
  end)

  it("an open transaction comes first and blocks", function()
    local found = judge(kb(), { transactions = { { id = "t", state = "open", begun = RESET, files = {} } } })
    assert.same({ "error txn.open" }, fake.lines(found))
    assert.is_true(found.blocked)
  end)

  it("a forged folder is a warning that blocks apply", function()
    local found = judge(kb(), { history_error = { "not ours", "forged", 0 } })
    assert.same({ "error key.regenerated", "warning txn.forged" }, fake.lines(found))
  end)

  it("a folder that may not be read is no unreadable journal", function()
    local found = judge(kb(), { history_error = { "Permission denied; run keymend as root", "access", 13 } })
    assert.same({ "error key.regenerated", "warning txn.unknown" }, fake.lines(found))
  end)

  it("an unreadable journal is a warning", function()
    local txns = { { id = "t", state = "unreadable", problem = "CRC", files = {} } }
    assert.same({ "error key.regenerated", "warning txn.unreadable" }, lines(kb(), { transactions = txns }))
  end)

  it("a journal that is only in use is no reason to move its folder away", function()
    local txns = { { id = "t", state = "unreadable", problem = "journal: in use", problem_code = "busy", files = {} } }
    local found = judge({ fake.key(NEW, { made = LONG_AGO }) }, { transactions = txns })
    local one = fake.finding(found, "txn.unreadable")
    assert.truthy(one.text:find("in use by another program", 1, true), one.text)
    assert.truthy(one.remedy:find("Try again", 1, true), one.remedy)
    assert.is_nil(one.remedy:find("move", 1, true))
    assert.truthy(found:text():find("the journal of a transaction is in use.\n", 1, true), found:text())
    assert.truthy(found:text():find("try again when no other program uses it (see below).\n", 1, true), found:text())
  end)
end)

describe("the target", function()
  it("without a machine GUID is refused", function()
    local found = judge(kb(), { info = { guid_form = "absent", guid = "" }, none = { "machine_guid" } })
    assert.same({ "error guid.absent" }, fake.lines(found))
    assert.equal("refused", found.verdict)
  end)

  it("with a malformed one or braces is refused", function()
    for _, form in ipairs { "malformed", "braces" } do
      assert.same({ "error guid.malformed" }, lines(kb(), { info = { guid_form = form, machine_guid = "x" } }))
    end
  end)

  it("with an upper-case one is repaired", function()
    assert.same({ "error key.regenerated", "info guid.case" },
      lines(kb(), { info = { guid_form = "case", machine_guid = NEW:upper() } }))
  end)

  it("without a key store is refused", function()
    local info = { key_store_found = false, key_store_problem = "no such folder" }
    assert.same({ "error store.absent" },
      lines(kb(), { info = info, history_error = { "no such folder", "not-found" } }))
  end)

  it("with a dirty hive is told", function()
    local hive = { name = "SOFTWARE", path = "C:\\x", sequence1 = 2, sequence2 = 1, dirty = true }
    local found = judge(kb(), { info = { hives = { hive } } })
    assert.same({ "error key.regenerated", "warning hive.dirty" }, fake.lines(found))
  end)

  it("with a disabled service or a cycle is told", function()
    local found, _, _, target = judge(kb(), { cycles = { "A -> B -> A" } })
    assert.same({ "error key.regenerated", "warning service.cycle" }, fake.lines(found))
    target.service_list[5].start = "disabled"
    found = diagnosis.run(target, { fake.policy() })
    assert.truthy(fake.finding(found, "service.disabled").text:find("W3SVC", 1, true))
  end)

  it("whose services cannot be read is told", function()
    assert.same({ "error key.regenerated", "warning service.unreadable" }, lines(kb(), { services_error = "damaged" }))
  end)

  it("whose services cannot be read is never in order", function()
    local asks = { rule = "has_service", name = "IISADMIN" }
    local iis = fake.policy { applies = { rule = "all_of", { rule = "windows", from = "5.0", below = "5.2" }, asks } }
    for _, more in ipairs { { services_error = "damaged" }, { service_list = {} } } do
      local found = judge(kb(), more, nil, { iis })
      assert.same({ "error service.unreadable" }, fake.lines(found))
      assert.truthy(found.findings[1].text:find("iis5", 1, true))
      assert.equal("broken", found.verdict)
    end
    local later = fake.policy { applies = { rule = "all_of", asks, { rule = "windows", from = "6.0" } } }
    assert.same({ "info policy.none" }, lines(kb(), { services_error = "damaged" }, nil, { later }))
  end)

  it("without a policy that applies is not judged", function()
    local policy = fake.policy { applies = { rule = "windows", from = "6.0" } }
    assert.same({ "info policy.none" }, lines(kb(), nil, nil, { policy }))
    assert.truthy(judge(kb(), nil, nil, { policy }):text():find("Action:   nothing was judged.", 1, true))
  end)
end)

describe("several containers", function()
  local DCOM, DCOM_HASH = "MS IIS DCOM Server", "7a436fe806e483969f48a894af2fe9a1"
  local function both()
    return fake.policy { containers = { { name = fake.IIS, hash = fake.HASH }, { name = DCOM, hash = DCOM_HASH } } }
  end
  local function dcom(guid)
    local name = DCOM_HASH .. "_" .. guid
    return fake.key(guid, { made = LONG_AGO, name = name, container = DCOM, container_hash = DCOM_HASH })
  end

  it("that agree on the old GUID are repaired together", function()
    local found = judge({ fake.key(OLD, { made = LONG_AGO }), dcom(OLD) }, nil, nil, { both() })
    assert.same({ "error key.orphaned", "error key.orphaned", "info guid.restorable" }, fake.lines(found))
    assert.equal("repair", found.verdict)
  end)

  it("that disagree are refused", function()
    local found = judge({ fake.key(OLD, { made = LONG_AGO }), dcom(THIRD) }, nil, nil, { both() })
    assert.truthy(fake.finding(found, "case.guid-conflict"))
    assert.is_true(found.blocked)
    assert.equal("refused", found.verdict)
  end)

  it("that are undecided must allow the old GUID of the others", function()
    local other = "aaaaaaaa-53ab-4f0e-a2c6-90b1d4e8f327"
    local keys = { fake.key(OLD, { made = LONG_AGO }), dcom(THIRD), dcom(other) }
    local found = judge(keys, nil, nil, { both() })
    assert.truthy(fake.finding(found, "case.guid-conflict").text:find(THIRD .. " or " .. other, 1, true))
    assert.is_true(found.blocked)
    keys[3] = dcom(OLD)
    found = judge(keys, nil, nil, { both() })
    assert.is_nil(fake.finding(found, "case.guid-conflict"))
  end)

  it("with the same bytes under two GUIDs agree on either", function()
    local keys = { fake.key(OLD, { made = LONG_AGO }), fake.key(THIRD, { made = LONG_AGO + DAY }), dcom(THIRD) }
    keys[2].sha256 = keys[1].sha256
    local found = judge(keys, nil, nil, { both() })
    assert.is_nil(fake.finding(found, "case.guid-conflict"))
    assert.equal("repair", found.verdict)
  end)

  it("belong to the more specific policy", function()
    local wide = fake.policy { name = "wide", source = "wide.lua" }
    local narrow = fake.policy { name = "narrow", applies = { rule = "windows", from = "5.0", below = "5.2" } }
    local found = judge(kb(), nil, nil, { wide, narrow })
    assert.equal("narrow", found.cases[1].policy.name)
    assert.equal(1, #found.cases)
  end)

  it("claimed by two equally specific policies are a load error", function()
    local other = fake.policy { name = "other", source = "o.lua" }
    local found, message, code = judge(kb(), nil, nil, { fake.policy(), other })
    assert.is_nil(found)
    assert.equal("policy", code)
    assert.truthy(message:find("o.lua", 1, true))
  end)
end)

describe("a policy's functions", function()
  it("choose among the candidates", function()
    local policy = fake.policy { adopt = { ["function"] = function(keys) return keys[#keys], "the last one" end } }
    local keys = { fake.key(OLD, { made = LONG_AGO }), fake.key(THIRD, { made = LONG_AGO + DAY }) }
    local made = verdict(keys, nil, nil, { policy })
    assert.equal(THIRD, made.adopt.guid)
    assert.equal("the last one", made.reason)
  end)

  it("may refuse with a reason", function()
    local policy = fake.policy { adopt = { ["function"] = function() return nil, "ask the web team" end } }
    local found = judge({ fake.key(OLD, { made = LONG_AGO }) }, nil, nil, { policy })
    assert.same({ "error key.ambiguous" }, fake.lines(found))
    assert.truthy(found.findings[1].text:find("1 key file could be the right one", 1, true))
    assert.truthy(found.findings[1].text:find("ask the web team", 1, true))
    assert.truthy(found:text():find "^[^\n]*: one possible key")
  end)

  it("cannot name a file that is no candidate", function()
    local policy = fake.policy { adopt = { ["function"] = function() return { name = fake.name(NEW) } end } }
    local found = judge(kb(), nil, nil, { policy })
    assert.same({ "error policy.failed" }, fake.lines(found))
    assert.equal("refused", found.verdict)
  end)

  -- A policy's own state, which tells an error instead of raising it.
  local state = { call = function(_, rule, ...)
    local ok, key, reason = pcall(rule, ...)
    if not ok then return nil, key end
    return { key = key, reason = reason }
  end }

  it("that fail are told as that, with policy, field and message", function()
    local bad = { ["function"] = function(keys) return keys[1].nosuch.x end }
    for _, field in ipairs { "adopt", "retire", "onset" } do
      local found = judge(kb(), nil, nil, { fake.policy { [field] = bad, state = state } })
      assert.same({ "error policy.failed" }, fake.lines(found))
      assert.equal("refused", found.verdict)
      local text = found.findings[1].text
      assert.truthy(text:find("The function " .. field .. ' of policy "iis5" failed', 1, true), text)
      assert.truthy(text:find("attempt to index", 1, true), text)
      assert.truthy(found:text():find("Cause:    \"" .. fake.IIS .. '": its policy failed.', 1, true), found:text())
    end
    local first = fake.policy { adopt = { rule = "first_of", bad, { rule = "sole_candidate" } }, state = state }
    assert.same({ "error policy.failed" }, lines(kb(), nil, nil, { first }))
  end)

  it("may keep the current key", function()
    local policy = fake.policy { retire = { ["function"] = function() return nil, "it works" end } }
    assert.same({ "info key.healthy", "info key.leftover" }, lines(kb(), nil, nil, { policy }))
  end)

  it("get plain data without the core's objects", function()
    local seen
    local policy = fake.policy { adopt = { ["function"] = function(keys, case)
      seen = { keys = keys, case = case }
      return keys[1]
    end } }
    verdict(kb(), nil, nil, { policy })
    assert.equal(OLD, seen.keys[1].guid)
    assert.equal(NEW, seen.case.machine_guid)
    assert.equal(NEW, seen.case.current.guid)
    assert.is_nil(seen.case.facts)
  end)

  it("add findings of their own", function()
    local policy = fake.policy {
      findings = { ["iis5.note"] = { severity = "warning", text = "Look at %{what} of %{container}.", remedy = "" } },
      checks = { { ["function"] = function() return "iis5.note", { what = "the log" } end } },
    }
    local found = judge(kb(), nil, nil, { policy })
    assert.equal('Look at the log of Microsoft Internet Information Server.', fake.finding(found, "iis5.note").text)
  end)

  it("that are at fault tell nothing, and the rest goes on", function()
    local with_field = { severity = "info", text = "%{what}", remedy = "" }
    for wanted, check in pairs {
      ["iis5.other"] = function() return "iis5.other" end,
      ["boom"] = function() error "boom" end,
      ["what"] = function() return "iis5.field", {} end,
      ['"7"'] = function() return 7 end,
    } do
      local policy = fake.policy { findings = { ["iis5.field"] = with_field }, checks = { { ["function"] = check } },
        state = state }
      local found = judge(kb(), nil, nil, { policy })
      local failed = fake.finding(found, "policy.failed")
      assert.equal("repair", found.verdict)
      assert.truthy(fake.finding(found, "key.regenerated"))
      assert.truthy(failed.text:find('A function of checks of policy "iis5" failed', 1, true), failed.text)
      assert.truthy(failed.text:find(wanted, 1, true), failed.text)
    end
  end)
end)
