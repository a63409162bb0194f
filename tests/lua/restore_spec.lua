-- restore_spec.lua: the second remedy: the former machine GUID is put back, counted, offered, chosen, refused

package.path = "tests/lua/?.lua;lua/?.lua;lua/?/init.lua;" .. package.path

local diagnosis = require "keymend.diagnosis"
local fake = require "fake"
local plans = require "keymend.plan"
local restore = require "keymend.restore"

local OLD, NEW, THIRD, DAY, RESET = fake.OLD, fake.NEW, fake.THIRD, fake.DAY, fake.RESET
local LONG_AGO = RESET - 1000 * DAY
local DCOM, DCOM_HASH = "MS IIS DCOM Server", "7a436fe806e483969f48a894af2fe9a1"
local SMS, SMS_HASH = "SMS", "19c5cf9c7b5dc9de3e548adb70398402"

local function other(container, hash, guid, made)
  return fake.key(guid, { made = made or LONG_AGO, name = hash .. "_" .. guid, hash = hash, container = container,
    container_hash = hash })
end

-- The KB's case, and two more containers under the old machine GUID.
local function store(...)
  return { fake.key(OLD, { made = LONG_AGO }), fake.key(NEW, { made = RESET + 82 }), other(DCOM, DCOM_HASH, OLD),
    other(SMS, SMS_HASH, OLD), ... }
end

local function both(fields)
  local policy = fake.policy { containers = { { name = fake.IIS, hash = fake.HASH },
    { name = DCOM, hash = DCOM_HASH } } }
  for name, value in pairs(fields or {}) do policy[name] = value end
  return policy
end

local BACK = { rule = "restore_guid", above = 50 }

local function judge(keys, options, more, policies)
  local target = fake.target(keys, more)
  return assert(diagnosis.run(target, policies or { fake.policy() }, options)), target
end

local function by_hand(keys, more, policies)
  return judge(keys, { restore_guid = OLD }, more, policies)
end

-- Why it is refused.
local function refused(found, ...)
  local made = fake.finding(found, "guid.restore-refused")
  assert.truthy(made, table.concat(fake.lines(found), ", "))
  assert.equal("refused", found.verdict)
  local plan, message, code = plans.make(found)
  assert.is_nil(plan)
  assert.equal("refused", code)
  for _, part in ipairs { ... } do
    local said = message
    for _, one in ipairs(made.evidence) do said = said .. "\n" .. one.text end
    assert.truthy(said:find(part, 1, true), said)
  end
end

local function steps_of(found)
  return assert(plans.make(found)).steps
end

describe("the second remedy", function()
  it("is told with both consequences where most of the store has one former machine GUID", function()
    local found = judge(store(other("iisWasKey", "76944fb33636aeddb9590521c2e8815a", NEW)))
    assert.same({ "error key.regenerated", "info guid.restorable" }, fake.lines(found))
    local made = found.findings[2]
    assert.truthy(made.text:find("Of the 5 key files with a GUID in their name 3 stand under one former machine GUID, "
      .. OLD, 1, true), made.text)
    assert.equal("found again: 3 key files of 3 key containers under " .. OLD, made.evidence[1].text)
    assert.equal("no longer found: 2 key files under the present machine GUID; lost to their programs, since there is "
      .. 'none under the former one, are those of 1 key container: "iisWasKey"', made.evidence[2].text)
    assert.same({ "keymend plan", "keymend plan --restore-guid " .. OLD }, made.commands)
    assert.truthy(made.remedy:find("A clone must not get the machine GUID of its template", 1, true))
    assert.equal("repair", found.verdict)
    assert.equal("adopt", steps_of(found)[2].kind)
  end)

  it("is not told where half of the store or less has it, or nothing needs a remedy", function()
    local half = { fake.key(OLD, { made = LONG_AGO }), other(DCOM, DCOM_HASH, NEW) }
    assert.is_nil(fake.finding(judge(half), "guid.restorable"))
    assert.is_nil(fake.finding(judge { fake.key(OLD, { made = LONG_AGO }) }, "guid.restorable"))
    local good = { fake.key(NEW, { made = RESET + 82 }), other(DCOM, DCOM_HASH, OLD), other(SMS, SMS_HASH, OLD) }
    assert.same({ "info key.healthy" }, fake.lines(judge(good)))
  end)

  it("is told without a command where keymend would refuse it", function()
    local keys = { fake.key(OLD, { made = LONG_AGO }), other(DCOM, DCOM_HASH, NEW), other(SMS, SMS_HASH, OLD) }
    local made = fake.finding(judge(keys, nil, nil, { both() }), "guid.restorable")
    assert.same({}, made.commands)
    assert.truthy(made.remedy:find('keymend would refuse it: "MS IIS DCOM Server" has no key file under it', 1, true))
  end)

  it("names no containers when there are too many to tell them apart", function()
    local most = restore.MAX_CONTAINERS
    restore.MAX_CONTAINERS = 2
    local made = fake.finding(judge(store()), "guid.restorable")
    restore.MAX_CONTAINERS = most
    assert.equal("found again: 3 key files under " .. OLD, made.evidence[1].text)
    assert.equal("no longer found: 1 key file under the present machine GUID", made.evidence[2].text)
  end)
end)

describe("--restore-guid", function()
  it("makes one step of the whole", function()
    local found = by_hand(store())
    assert.same({ "error key.regenerated", "warning guid.restorable" }, fake.lines(found))
    assert.equal("repair", found.verdict)
    local plan = assert(plans.make(found))
    assert.same({ { kind = "restore-guid", name = NEW, to = OLD,
      reason = "named with --restore-guid; 3 of the 4 key files here (75 %) stand under it" } }, plan.steps)
    assert.equal("iis5", plan.policies)
    assert.equal("--restore-guid " .. OLD, plan.overrides)
    assert.same({ "IISADMIN", "W3SVC", "SMS_EXECUTIVE" }, plan.start)
    assert.same({ files_back = 3, containers_back = 3, files_lost = 1, containers_lost = 0, files = 4 }, plan.restores)
    local text = plan:text()
    for _, part in ipairs { "restore the machine GUID", "from " .. NEW, "to " .. OLD, "Found again: 3 key files of 3",
      "No longer found: 1 key file", "licences and management", } do
      assert.truthy(text:find(part, 1, true), text)
    end
    assert.is_nil(text:find("Restart Windows", 1, true))
    assert.truthy(found:text():find("Action:   keymend apply: puts the former machine GUID back; undo", 1, true))
  end)

  it("takes any former machine GUID, also of few files, and decides between candidates", function()
    local keys = { fake.key(OLD, { made = LONG_AGO }), fake.key(THIRD, { made = LONG_AGO + DAY }),
      other(DCOM, DCOM_HASH, THIRD), other(SMS, SMS_HASH, THIRD) }
    assert.equal("refused", judge(keys).verdict)
    local found = by_hand(keys)
    assert.same({ "error key.orphaned", "warning guid.restorable" }, fake.lines(found))
    assert.equal(OLD, steps_of(found)[1].to)
  end)

  it("works where no policy applies", function()
    local found = judge(store(), { restore_guid = OLD }, nil, {})
    assert.same({ "warning guid.restorable", "info policy.none" }, fake.lines(found))
    assert.equal(1, #steps_of(found))
  end)

  it("asks for a restart of a running Windows", function()
    local stopped = { W3SVC = { "stopped", 1008 }, IISADMIN = { "stopped", 0 } }
    local found = by_hand(store(), fake.live(stopped))
    assert.truthy(plans.make(found):text():find("Restart Windows, since programs keep the machine GUID", 1, true))
    assert.truthy(found:text():find("Downtime: that of a restart of Windows", 1, true))
  end)

  it("is refused for a GUID that no file carries, and for the present one", function()
    refused(judge(store(), { restore_guid = THIRD }), "no key file of this key store carries " .. THIRD)
    refused(judge(store(), { restore_guid = NEW }), NEW .. " is the machine GUID already")
  end)

  it("is refused while the SOFTWARE hive is dirty, replayed or accepted or not", function()
    for _, hive in ipairs { { name = "SOFTWARE", dirty = true, path = "x", sequence1 = 2, sequence2 = 1 },
      { name = "SOFTWARE", dirty = true, replayed = true, path = "x", sequence1 = 2, sequence2 = 1 } } do
      local found = judge(store(), { restore_guid = OLD, accept_dirty_hive = true }, { info = { hives = { hive } } })
      refused(found, "the SOFTWARE hive was not closed cleanly")
    end
  end)

  it("is refused while a service was certainly started with a key under the present one", function()
    local since = { "running", started = RESET + DAY }
    local states = { IISADMIN = since, W3SVC = since, SMS_EXECUTIVE = since }
    refused(by_hand(store(), fake.live(states)), "would lose the key that is in use: IISADMIN was started with")
  end)

  it("is refused while a key under the present one is proved, unless the former file holds the same key", function()
    local row = { kind = "certificate", verdict = "proved", where = "SOFTWARE\\My", what = "certificate of WEB01",
      use = "in use", text = "the public key is its" }
    local more = { rows = { [fake.name(NEW)] = { row } } }
    refused(by_hand(store(), more), "is proved by the certificate of WEB01 in SOFTWARE\\My")
    local keys = store()
    keys[2].signature = { bits = 1024, exponent = 65537, modulus = keys[1].signature.modulus, master_key =
      keys[1].signature.master_key }
    assert.equal("repair", by_hand(keys, more).verdict)
  end)

  it("is refused for what is in use in a container that nobody judges", function()
    local name = SMS_HASH .. "_" .. NEW
    local more = {
      sources = { { kind = "certificate", container = SMS, where = "SOFTWARE\\SMS", what = "certificate",
        use = "SMS" } },
      rows = { [name] = { { kind = "certificate", verdict = "proved", use = "SMS", where = "SOFTWARE\\SMS",
        what = "certificate", text = "it is its key" } } },
    }
    refused(by_hand(store(other(SMS, SMS_HASH, NEW, RESET + DAY)), more), '"SMS" would lose the key that is in use: '
      .. name .. " is proved by the certificate")
    more.rows[name][1].verdict = "unknown"
    assert.equal("repair", by_hand(store(other(SMS, SMS_HASH, NEW, RESET + DAY)), more).verdict)
  end)

  it("is refused where the file under it is missing, unsound or disproved", function()
    local missing = { fake.key(OLD, { made = LONG_AGO }), other(DCOM, DCOM_HASH, NEW) }
    refused(by_hand(missing, nil, { both() }), '"MS IIS DCOM Server" has no key file under it')
    local damaged = store()
    damaged[1].status, damaged[1].damage = "damaged", "its lengths do not add up"
    refused(by_hand(damaged), "has " .. fake.name(OLD) .. " under it, but its lengths do not add up")
    refused(by_hand(store(), { master_keys = {} }, { both() }), "is not here")
    local planted = store()
    planted[1].owner_trusted, planted[1].owner = false, "S-1-5-21-1-2-3-1000"
    refused(by_hand(planted), "its owner is S-1-5-21-1-2-3-1000")
  end)

  it("must be a GUID, and goes neither with --adopt nor with --retire", function()
    local options = { restore_guid = "{" .. OLD:upper() .. "}" }
    assert.is_true(restore.check(options))
    assert.equal(OLD, options.restore_guid)
    local ok, message = restore.check { restore_guid = "abc" }
    assert.is_nil(ok)
    assert.truthy(message:find('"abc" is no GUID', 1, true))
    for _, name in ipairs { "adopt", "retire" } do
      ok, message = restore.check { restore_guid = OLD, [name] = { "x" } }
      assert.is_nil(ok)
      assert.truthy(message:find("does not go with --" .. name, 1, true))
    end
  end)
end)

describe("a policy with restore_guid", function()
  it("puts the machine GUID back where enough of the store stands under it", function()
    local found = judge(store(), nil, nil, { both { remedy = BACK } })
    assert.same({ "error key.regenerated", "error key.orphaned", "warning guid.restorable" }, fake.lines(found))
    local steps = steps_of(found)
    assert.equal(1, #steps)
    assert.equal('policy "iis5": 3 of the 4 key files here (75 %) stand under it, more than 50 %', steps[1].reason)
    for index = 1, 2 do
      assert.truthy(found.findings[index].remedy:find("Put the former machine GUID back", 1, true))
    end
    assert.equal("", plans.make(found).overrides)
  end)

  it("adopts below its bound, and where the administrator chose", function()
    local found = judge(store(), nil, nil, { both { remedy = { rule = "restore_guid", above = 75 } } })
    assert.equal("retire", steps_of(found)[1].kind)
    found = judge(store(), { adopt = { fake.name(OLD) } }, nil, { fake.policy { remedy = BACK } })
    assert.equal("adopt", steps_of(found)[2].kind)
  end)

  it("refuses where a container in order would lose its key, even with a key under the former one", function()
    local keys = store(other(DCOM, DCOM_HASH, NEW, LONG_AGO - DAY))
    refused(judge(keys, nil, nil, { both { remedy = BACK } }), '"MS IIS DCOM Server" is in order with its present key')
  end)

  it("refuses where another policy's container is undecided or needs another key", function()
    local second = fake.policy { name = "dcom", containers = { { name = DCOM, hash = DCOM_HASH } } }
    local keys = store(other(DCOM, DCOM_HASH, THIRD))
    refused(judge(keys, nil, nil, { fake.policy { remedy = BACK }, second }), '"MS IIS DCOM Server" is undecided')
  end)

  it("refuses on a dirty hive", function()
    local hive = { name = "SOFTWARE", dirty = true, path = "x", sequence1 = 2, sequence2 = 1 }
    refused(judge(store(), nil, { info = { hives = { hive } } }, { fake.policy { remedy = BACK } }),
      "was not closed cleanly")
  end)
end)

describe("a machine GUID that keymend put back", function()
  local function after(fields)
    local txn = { id = "20261123T121959Z-3f9a2c", state = "committed", files = {}, guid_before = OLD, guid_after = NEW,
      ended = RESET + 100 * DAY, ended_ticks = fake.ticks(RESET + 100 * DAY), overrides = "--restore-guid " .. NEW }
    for name, value in pairs(fields or {}) do txn[name] = value end
    return { transactions = { txn } }
  end
  local function keys(made)
    return { fake.key(NEW, { made = made or LONG_AGO }), fake.key(OLD, { made = RESET + 82 }) }
  end

  it("is healthy, and the same option has nothing to do", function()
    for _, options in ipairs { {}, { restore_guid = NEW } } do
      local found = judge(keys(), options, after())
      assert.equal("healthy", found.verdict)
      assert.equal("info key.adopted", fake.lines(found)[1])
      assert.truthy(found.findings[1].text:find("put the machine GUID back", 1, true))
      assert.same({}, steps_of(found))
    end
  end)

  it("does not vouch for a key that was made later, nor once it was undone or changed again", function()
    assert.is_nil(fake.finding(judge(keys(RESET + 200 * DAY), nil, after()), "key.adopted"))
    for _, fields in ipairs { { state = "undone" }, { state = "open" }, { guid_after = THIRD } } do
      assert.is_nil(fake.finding(judge(keys(), nil, after(fields)), "key.adopted"))
    end
  end)
end)

describe("a saved plan", function()
  local path
  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  local function save()
    assert(assert(plans.make(by_hand(store()))):save(path))
  end

  local function changed(from, to)
    save()
    local file = assert(io.open(path, "rb"))
    local text, count = file:read "*a":gsub(from, to)
    file:close()
    assert(count > 0, from)
    file = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
    return plans.load(path)
  end

  it("of it is loaded, fits and is applied", function()
    save()
    local plan = assert(plans.load(path))
    local target = fake.target(store())
    assert(plan:fit(target))
    assert(plan:apply())
    assert.same({ kind = "restore-guid", name = NEW, to = OLD, reason = plan.steps[1].reason }, target.applied.steps[1])
  end)

  it("of it does not fit where no file carries the GUID any more, nor on a dirty hive", function()
    save()
    local plan = assert(plans.load(path))
    local ok, message, code = plan:fit(fake.target { fake.key(NEW, { made = LONG_AGO }) })
    assert.is_nil(ok)
    assert.equal("stale", code)
    assert.truthy(message:find("no key file of this key store carries", 1, true), message)
    local hive = { name = "SOFTWARE", dirty = true, path = "x", sequence1 = 2, sequence2 = 1 }
    ok = plan:fit(fake.target(store(), { info = { hives = { hive } } }))
    assert.is_nil(ok)
  end)

  it("that was changed by hand is no plan", function()
    for from, to in pairs { ['"to":%s*"4cb'] = '"to": "4CB', ['"name":%s*"1b2'] = '"name": "xb2' } do
      local plan, message = changed(from, to)
      assert.is_nil(plan)
      assert.truthy(message:find("a GUID", 1, true), message)
    end
    local twice = '{ "kind": "restore-guid", "name": "%s", "reason": "", "to": "%s" },'
    local plan, message = changed('"steps":%s*%[', '"steps": [' .. twice:format(NEW, OLD))
    assert.is_nil(plan)
    assert.truthy(message:find("restore-guid as the only step", 1, true), message)
  end)
end)
