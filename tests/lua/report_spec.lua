-- report_spec.lua: the timeline, and the page of a report, on fake targets

package.path = "tests/lua/?.lua;tests/report/?.lua;lua/?.lua;lua/?/init.lua;" .. package.path

local diagnosis = require "keymend.diagnosis"
local fake = require "fake"
local html = require "keymend.html"
local markup = require "markup"
local page = require "keymend.page"
local tag = require "keymend.html.tag"
local timeline = require "keymend.timeline"

local OLD, NEW, THIRD, DAY, RESET = fake.OLD, fake.NEW, fake.THIRD, fake.DAY, fake.RESET
local YEAR = 365.25 * DAY

local function judge(keys, more, options)
  return assert(diagnosis.run(fake.target(keys, more), { fake.policy() }, options or {}))
end

local function kb()
  return { fake.key(OLD, { made = RESET - 1000 * DAY }), fake.key(NEW, { made = RESET + 82 }) }
end

local function kinds(list)
  local words = {}
  for index, item in ipairs(list) do words[index] = item.kind == "key" and item.class or item.kind end
  return table.concat(words, " ")
end

local function event(time, id, service)
  return { time = time, ticks = fake.ticks(time), log = "System", source = "W3SVC", id = id, record = time,
    type = "error", service = service, text = "", strings = {}, recovered = false }
end

-- A diagnosis whose events are those given, newest first as a diagnosis has them.
local function with_events(list, more)
  local found = judge(kb())
  table.sort(list, function(a, b) return a.time > b.time end)
  list.more = more or 0
  found.events = list
  return found
end

local function print_text(found)
  local text = page.buffer()
  timeline.print(text, timeline.of(found))
  return text:text()
end

-- What must hold of every page.
local function sound(found)
  local text = html.page(found)
  assert.same({}, markup.check(text))
  return text
end

describe("the timeline", function()
  it("tells key files apart, and what the plan does with them", function()
    local list = timeline.of(judge(kb()))
    assert.equal("foreign guid regenerated onset", kinds(list))
    assert.equal("adopt", list[1].plan)
    assert.equal("retire", list[3].plan)
    assert.equal("chosen", list[4].class)
    assert.is_true(list[1].certain)
    assert.equal(RESET, list[2].time)
  end)

  it("of a healthy store has neither onset nor plan", function()
    local list = timeline.of(judge { fake.key(NEW, { made = RESET - 1000 * DAY }) })
    assert.equal("current guid", kinds(list))
    assert.is_nil(list[1].plan)
    assert.is_nil(list[2].text:find("reset", 1, true))
  end)

  it("tells which times are no evidence", function()
    local found = judge { fake.key(OLD, { made = RESET - DAY }), fake.key(THIRD, { made = RESET - DAY + 1 }),
      fake.key(NEW, { made = RESET + 82 }) }
    local list = timeline.of(found)
    assert.equal("foreign foreign guid", kinds(list):match "^foreign foreign guid")
    assert.is_false(list[1].certain)
    assert.truthy(list[1].why_not:find("at the same time", 1, true))
    assert.truthy(print_text(found):find("the time proves nothing", 1, true))
  end)

  it("keeps key files without a time", function()
    local keys = kb()
    keys[1].created, keys[1].created_ticks, keys[1].created_source = nil, nil, "none"
    local found = judge(keys)
    local list = timeline.of(found)
    assert.equal(1, #list.undated)
    assert.equal(fake.name(OLD), list.undated[1].name)
    assert.truthy(print_text(found):find("without a time", 1, true))
    assert.truthy(sound(found):find("no time", 1, true))
  end)

  it("sorts by ticks where seconds are equal, causes before what follows", function()
    local keys = kb()
    keys[1].created_ticks = keys[1].created_ticks:sub(1, -2) .. "5"
    local found = judge(keys)
    local one = fake.key(THIRD, { made = keys[1].created })
    one.class = "foreign"
    found.cases[1].keys[3] = one
    local list = timeline.of(found)
    assert.equal(one.name, list[1].name)
    assert.equal(fake.name(OLD), list[2].name)
    found.info.guid_written, found.info.guid_written_ticks = RESET + 82, fake.ticks(RESET + 82)
    assert.equal("guid regenerated onset", kinds(timeline.of(found)):match "guid.*")
  end)

  it("has backups, transactions and master keys", function()
    local keys = kb()
    local former, later = "9f6a3c52-0c3e-4b51-8d27-5a41e0c6b7d9", "11111111-2222-3333-4444-555555555555"
    keys[2].signature = { bits = 1024, exponent = 65537, modulus = "00", master_key = later }
    local found = judge(keys, {
      info = { old_guids = { { guid = OLD, path = "C:\\WINNT\\repair\\software", saved = RESET - 900 * DAY,
        saved_ticks = fake.ticks(RESET - 900 * DAY) } } },
      transactions = { { id = "20050101T000000Z-3f9a2c", state = "undone", begun = RESET + 9 * DAY,
        begun_ticks = fake.ticks(RESET + 9 * DAY), files = { { before = "a", after = "b" }, { before = "c" } } } },
      master_keys = { [former] = true, [later] = true },
      master_key_times = { [former] = RESET - 1001 * DAY, [later] = RESET + 80 },
    })
    assert.equal("master-key foreign backup guid master-key regenerated onset transaction", kinds(timeline.of(found)))
    local text = print_text(found)
    assert.truthy(text:find("1 retired, 1 adopted", 1, true))
    sound(found)
  end)
end)

describe("rows", function()
  it("bundle events of a kind that nothing else parts", function()
    local list = {}
    for day = 2, 60 do
      list[#list + 1] = event(RESET + day * DAY, 116)
      list[#list + 1] = event(RESET + day * DAY + 1, 7023, "W3SVC")
    end
    local found = with_events(list, 12)
    local rows = timeline.rows(timeline.of(found))
    assert.equal("foreign guid regenerated onset event event", kinds(rows))
    assert.equal(59, rows[5].count)
    assert.equal(RESET + 60 * DAY, rows[5].last)
    assert.equal("W3SVC 7023 W3SVC", rows[6].label)
    local text = print_text(found)
    assert.truthy(text:find("59 times", 1, true))
    assert.truthy(text:find("and 12 older events", 1, true))
    assert.truthy(sound(found):find("12 older events", 1, true))
  end)

  it("are never more than a person can look through", function()
    local list = {}
    for id = 1, 200 do list[id] = event(RESET + 2 * DAY + id * 10, id) end
    local found = with_events(list)
    local rows = timeline.rows(timeline.of(found))
    local count, events = 0, 0
    for _, row in ipairs(rows) do
      if row.kind == "event" then count, events = count + 1, events + row.count end
    end
    assert.equal(timeline.MAX_EVENTS, count)
    assert.equal(200, events)
    sound(found)
  end)

  it("keep what the plan touches of a thousand key files", function()
    local keys = kb()
    for index = 1, 997 do
      local guid = ("%08x-0000-0000-0000-000000000000"):format(index)
      keys[#keys + 1] = fake.key(guid, { made = RESET - (2000 + index) * DAY, status = "damaged", damage = "cut" })
    end
    local found = judge(keys)
    local rows = timeline.rows(timeline.of(found))
    local plans, count = {}, 0
    for _, row in ipairs(rows) do
      if row.kind == "key" then count = count + 1 end
      if row.plan then plans[#plans + 1] = row.plan end
    end
    assert.equal(timeline.MAX_KEYS, count)
    assert.same({ "adopt", "retire" }, plans)
    assert.equal(999 - timeline.MAX_KEYS, rows.left_keys)
    assert.is_true(#sound(found) < 1e6)
  end)
end)

describe("a duration", function()
  it("has its two largest units", function()
    for text, seconds in pairs {
      ["less than a second"] = 0.5, ["1 second"] = 1, ["1 minute, 22 seconds"] = 82, ["1 day"] = DAY,
      ["3 years, 6 months"] = 3.5 * YEAR, ["10 years"] = 10 * YEAR, ["2 hours"] = 7200,
    } do
      assert.equal(text, timeline.duration(seconds))
    end
  end)
end)

-- Widths as the picture estimates them; what is drawn in lanes must not touch.
local function assert_apart(text, class, letter)
  local rows = {}
  for _, one in ipairs(markup.texts(text, class)) do
    local width = tag.length((one.text:gsub("&%w+;", "x"):gsub("&#%d+;", "x"))) * letter
    local from = one.anchor == "end" and one.x - width or one.anchor == "middle" and one.x - width / 2 or one.x
    assert.is_true(from >= -1 and from + width <= 1001, ("%s leaves the picture: %s"):format(class, one.text))
    for _, other in ipairs(rows[one.y] or {}) do
      assert.is_true(from >= other[2] or from + width <= other[1],
        ("%q is written over %q"):format(one.text, other[3]))
    end
    rows[one.y] = rows[one.y] or {}
    table.insert(rows[one.y], { from, from + width, one.text })
  end
end

describe("the picture", function()
  it("of a decade, of seconds and of equal times writes nothing over anything", function()
    local list = {}
    for index = 0, 40 do list[#list + 1] = event(RESET + 100 + index * (index % 3) * 3 * DAY, 100 + index % 9) end
    local found = with_events(list)
    for index = 1, 12 do
      local made = RESET - 11 * YEAR + math.floor(index / 3) * YEAR
      found.cases[1].keys[#found.cases[1].keys + 1] = fake.key(("%08x-1111-2222-3333-444444444444"):format(index),
        { made = made })
      found.info.old_guids[index] = { guid = OLD, path = ("C:\\backup %d\\%s"):format(index, ("long "):rep(40)),
        saved = made + index, saved_ticks = fake.ticks(made + index) }
    end
    for index, key in ipairs(found.cases[1].keys) do
      if index > 2 then key.class = "foreign" end
    end
    local text = sound(found)
    assert_apart(text, "label", 7)
    assert_apart(text, "date", 6.8)
    assert_apart(text, "gap", 6)
  end)

  it("stays in order from left to right", function()
    local found = judge(kb())
    local text = sound(found)
    local before = -1
    for _, one in ipairs(markup.texts(text, "date")) do
      assert.is_true(one.x >= before)
      before = one.x
    end
  end)

  it("of one single time stands", function()
    local found = judge { fake.key(NEW, { made = RESET }) }
    found.info.guid_written, found.info.guid_written_ticks = nil, nil
    assert.truthy(sound(found):find("<svg", 1, true))
  end)

  it("gives every mark a title, a description and a row", function()
    local text = sound(judge(kb()))
    local marks = 0
    for id in text:gmatch '<a class="link" href="#t(%d+)">' do
      marks = marks + 1
      assert.truthy(text:find('<title id="m' .. id .. 't">', 1, true))
      assert.truthy(text:find('<desc id="m' .. id .. 'd">', 1, true))
      assert.truthy(text:find('<tr id="t' .. id .. '">', 1, true))
    end
    assert.equal(4, marks)
  end)
end)

describe("the page", function()
  it("escapes whatever a target says", function()
    local evil = "<script>alert(1)</script>\"'&\27[2J\226\128\174"
    local found = judge(kb(), {
      info = { computer = evil, product = evil, windows = evil, root = evil, driver = evil },
    })
    found.cases[1].keys[1].owner = evil
    found.cases[1].container = evil
    found.info.old_guids[1] = { guid = evil, path = evil, saved = RESET - DAY }
    found.findings[1].evidence[1] = { kind = "x", text = evil }
    found.facts.history = { { id = evil, state = evil, begun = RESET, files = { { before = evil, after = evil } },
      made_by = evil, policies = evil, vault = evil, problem = evil } }
    local text = sound(found)
    assert.is_nil(text:find("<script", 1, true))
    assert.is_nil(text:find("\27", 1, true))
    assert.is_nil(text:find("\226\128\174", 1, true))
    assert.truthy(text:find("&lt;script&gt;", 1, true))
  end)

  it("tells cause, time, key, steps and services at the top", function()
    local text = sound(judge(kb(), fake.live { W3SVC = { "stopped", 1008 } }))
    local top = text:match '<main.-<section aria%-labelledby="timeline%-title"'
    for _, part in ipairs { "Cause: ", "2004-09-13", OLD, "Retire", "Adopt", "keymend apply", "IISADMIN" } do
      assert.truthy(top:find(part, 1, true), part)
    end
  end)

  it("names of the services only those that stop", function()
    local all = { "IISADMIN", "MSFTPSVC", "SMS_EXECUTIVE", "W3SVC" }
    local states = {}
    for _, name in ipairs(all) do states[name] = { "stopped", 0 } end
    local function down()
      return sound(judge(kb(), fake.live(states))):match 'aria%-labelledby="down".-</section>'
    end
    states.W3SVC = { "stopped", 1008 }
    assert.truthy(down():find("None of the services that use the key runs now", 1, true))
    states.MSFTPSVC = { "running" }
    local text = down()
    assert.truthy(text:find("<li>MSFTPSVC</li>", 1, true))
    assert.is_nil(text:find("<li>IISADMIN</li>", 1, true))
  end)

  it("of every verdict is sound", function()
    local cases = {
      healthy = { fake.key(NEW, { made = RESET - DAY }) },
      broken = { fake.key(NEW, { made = RESET, status = "damaged" }) },
      refused = { fake.key(OLD, { made = RESET - DAY }), fake.key(THIRD, { made = RESET - 2 * DAY }) },
      repair = { fake.key(OLD, { made = RESET - DAY }) },
    }
    for verdict, keys in pairs(cases) do
      local found = judge(keys)
      assert.equal(verdict, found.verdict)
      sound(found)
    end
    sound(judge({}, { info = { key_store_found = false } }))
    sound(judge({}, { info = { machine_guid = "x", guid = "", guid_form = "malformed" } }))
    sound(judge(kb(), { services_error = "the hive is damaged" }))
    sound(judge(kb(), { history_error = { "somebody else's", "forged" } }))
    sound(judge(kb(), { order_error = "out of memory" }))
  end)

  it("is the same each time", function()
    local function stable() return (html.page(judge(kb())):gsub("20[2-9]%d%-[^<]*", "NOW")) end
    assert.equal(stable(), stable())
  end)
end)

describe("a picture of services", function()
  it("bears a circle, a group and names that are not here", function()
    local list = {
      { name = "A", display = "A", start = "automatic", depends = { "B" }, depends_groups = { "G" } },
      { name = "B", display = "B", start = "automatic", depends = { "A", "gone" } },
      { name = "C", display = "C", start = "manual", depends = {}, group = "G" },
    }
    local graph = require("keymend.graph").new(list)
    local picture, more = require("keymend.html.services").draw(graph, { "A", "B", "C" })
    assert.equal(0, more)
    for _, word in ipairs { "not here", "group G", "stops as number 3" } do
      assert.truthy(picture.text:find(word, 1, true), word)
    end
    assert.is_nil(picture.text:find("nan", 1, true))
  end)

  it("is limited, and says so", function()
    local list, order = {}, {}
    for index = 1, 300 do
      list[index] = { name = "S" .. index, display = "", start = "automatic", depends = { "S" .. index % 300 + 1 } }
      order[index] = "S" .. index
    end
    local services = require "keymend.html.services"
    local picture, more = services.draw(require("keymend.graph").new(list), order)
    assert.equal(300 - services.MAX_ROWS, more)
    assert.is_true(#picture.text < 100000)
  end)
end)
