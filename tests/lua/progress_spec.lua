-- progress_spec.lua: the line of long work: count, rate, time left, and nothing where there is no terminal

package.path = "tests/lua/?.lua;lua/?.lua;lua/?/init.lua;" .. package.path

local progress = require "keymend.progress"

describe("progress", function()
  local now, written

  local function new(options)
    now, written = 0, {}
    options.clock = function() return now end
    options.write = function(text) written[#written + 1] = text end
    options.width = options.width or 80
    if options.terminal == nil then options.terminal = true end
    return progress.new(options)
  end

  it("tells count, rate and time left", function()
    local meter = new { what = "files", total = 1000 }
    meter:add(100)
    assert.equal("100 of 1000 files", meter:text())
    now = 10
    assert.equal("100 of 1000 files, 10 a second, 1 min 30 s left", meter:text())
    now = 100
    assert.equal("100 of 1000 files, 1.0 a second, 15 min 0 s left", meter:text())
  end)

  it("tells no time left where the total is not known or was too small", function()
    local meter = new { what = "names" }
    meter:add(100)
    now = 10
    assert.equal("100 names, 10 a second", meter:text())
    meter = new { what = "names", total = 50 }
    meter:add(100)
    now = 10
    assert.equal("100 of 50 names, 10 a second", meter:text())
  end)

  it("is silent about work that is soon done", function()
    local meter = new { what = "names", after = 1 }
    for step = 1, 9 do
      now = step / 10
      meter:add(1)
    end
    assert.equal("", table.concat(written))
    for step = 10, 15 do
      now = step / 10
      meter:add(1)
    end
    assert.equal("\r10 names, 10 a second", written[1])
  end)

  it("writes nothing in a pipe", function()
    local meter = new { terminal = false }
    for _ = 1, 1000 do
      now = now + 1
      meter:add(1)
    end
    meter:finish()
    assert.same({}, written)
    assert.equal(1000, meter.count)
  end)

  it("writes a few lines a second, however many calls there are, and takes the last away", function()
    local meter = new { total = 100000 }
    for _ = 1, 100000 do
      now = now + 0.0001
      meter:add(1)
    end
    assert.is_true(#written >= 20 and #written <= 60, tostring(#written))
    meter:finish()
    local last = written[#written]
    assert.truthy(last:find "^\r +\r$")
    local lines = #written
    meter:finish()
    assert.equal(lines, #written)
  end)

  it("keeps up when the work becomes slow", function()
    local meter = new {}
    for _ = 1, 100000 do
      now = now + 0.00001
      meter:add(1)
    end
    local before = #written
    for _ = 1, 5000 do
      now = now + 1
      meter:add(1)
    end
    assert.is_true(#written > before)
  end)

  it("never writes more than the terminal is wide", function()
    local meter = new { what = ("very "):rep(40) .. "long names", width = 30 }
    now = 5
    meter:add(1)
    for _, text in ipairs(written) do assert.is_true(#text <= 31, text) end
  end)

  it("says durations as people do", function()
    assert.equal("0 s", progress.duration(-3))
    assert.equal("59 s", progress.duration(59.2))
    assert.equal("1 min 0 s", progress.duration(59.7))
    assert.equal("2 h 5 min", progress.duration(7500))
  end)
end)
