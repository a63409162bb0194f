-- docs_spec.lua: the pages for people: their commands exist, and docs/windows.md explains messages that there are

package.path = "tests/lua/?.lua;lua/?.lua;lua/?/init.lua;" .. package.path

local options = require "keymend.options"

local PAGES = {
  "README.md", "docs/guide.md", "docs/safety.md", "docs/windows.md", "docs/cookbook.md", "docs/file-formats.md",
  "docs/kb884872.md", "docs/policy-language.md",
}

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

-- The command lines of a page: lines of code blocks that begin with keymend (after a prompt), and code in the text.
local function commands(text)
  local list = {}
  for line in text:gmatch "[^\n]+" do
    local command = line:match "^    (keymend .*)$" or line:match "^%$ (keymend .*)$"
      or line:match "^%u:[^>]*> ?(keymend .*)$"
    if command then
      list[#list + 1] = command
    elseif not line:find "^    " then
      for code in line:gmatch "`(keymend[^`]*)`" do list[#list + 1] = code end
    end
  end
  return list
end

-- A page without its table of messages.
local function prose(page)
  return (read(page):gsub("\n## 10%. What it may say\n.*$", "\n"))
end

local function words_of(command)
  local words = {}
  for word in command:gsub("%s[|>].*$", ""):gmatch "%S+" do words[#words + 1] = word end
  return words
end

describe("the pages", function()
  it("name only commands that keymend takes", function()
    local count = 0
    for _, page in ipairs(PAGES) do
      for _, command in ipairs(commands(prose(page))) do
        local words = words_of(command)
        if words[1] == "keymend" and words[2] and not words[2]:find "^%u" then
          count = count + 1
          local parsed, message = options.parse { unpack(words, 2) }
          assert.truthy(parsed and parsed.verb, ("%s: %s: %s"):format(page, command, message or "no verb"))
          assert(options.check(parsed))
        end
      end
    end
    assert.truthy(count > 30, count)
  end)

  it("show the running Windows, which the suite windows compares", function()
    for _, verb in ipairs { "diagnose", "apply" } do
      assert.truthy(read "README.md":find("\nD:\\> keymend " .. verb, 1, true), verb)
    end
  end)

  it("name only options that there are", function()
    local known = {}
    for _, option in ipairs(options.options) do known[option.name] = true end
    for _, page in ipairs(PAGES) do
      for code in prose(page):gmatch "`([^`\n]+)`" do
        for name in (code:find "^%-%-" or code:find "^keymend ") and code:gmatch "%-%-([%l][%l-]*)" or function() end do
          assert.truthy(known[name], ("%s: --%s"):format(page, name))
        end
      end
    end
  end)

  it("explain messages that keymend has", function()
    local sources = {}
    local files = io.popen "find core lua -name '*.c' -o -name '*.lua' | sort"
    for path in files:lines() do sources[#sources + 1] = read(path) end
    files:close()
    local all = table.concat(sources, "\n"):gsub('"%s*\n%s*%.?%.?%s*"', ""):gsub("'%s*\n%s*%.%.%s*[\"']", "")
    local section = read "docs/windows.md":match "\n## 10%. What it may say\n(.*)$"
    local count = 0
    for row in section:gmatch "\n|([^|\n]+)|[^\n]+" do
      for message in row:gmatch "`([^`]+)`" do
        count = count + 1
        assert.truthy(all:find(message, 1, true), message)
      end
    end
    assert.truthy(count > 12, count)
  end)
end)
