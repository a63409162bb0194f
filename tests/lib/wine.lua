-- wine.lua: a running Windows (tests/wine/session) for the tests: programs, files, registry, services
--
--   local wine = require "wine"
--   local ready, why = wine.ready(top)
--   local windows = wine.start { top =, kind = "win64" | "win32-2000", name =, read = {}, write = {} }
--   windows:run({ "Z:\\some\\program.exe", "an argument" }, { input =, environment = {}, folder = })
--   windows:stop()
--
-- Its drive C: is windows.c on this side, a folder of the host. A session ends with the test program,
-- however that ends.

local lfs = require "lfs"
local shell = require "shell"

local wine = {}

local quote = shell.quote
local methods = {}
local meta = { __index = methods }

-- The process of this program (Lua 5.1 knows no own number).
local function own_process()
  local pipe = assert(io.popen "echo $PPID")
  local number = pipe:read "*n"
  pipe:close()
  return number
end

-- The open sessions.
local sessions_open = {}

-- Makes the chroot and the prefixes when they are missing. true; or nil and why there can be no Wine
-- here; an error when it failed.
function wine.ready(top)
  local made = shell.run(quote(top .. "/tests/wine/setup"))
  -- What a run that was killed left behind.
  shell.run(("find %s -mindepth 1 -maxdepth 1 -mmin +120 -exec rm -rf --one-file-system {} +"):format(
    quote(top .. "/build/wine/sessions")))
  if made.exit == 0 then return true end
  local last = made.err:match "([^\n]*)\n*$"
  if made.exit == 2 then return nil, (last:gsub("^no Wine: ", "")) end
  error("tests/wine/setup failed: " .. made.err .. made.out, 0)
end

-- Boots a fresh Windows. read, write: folders that are seen inside under Z:, besides the session's own.
function wine.start(options)
  local sessions = options.top .. "/build/wine/sessions"
  lfs.mkdir(sessions)
  -- build/wine may be a link, which leads nowhere inside.
  sessions = shell.must("readlink -f " .. quote(sessions)):match "[^\n]+"
  local dir = shell.must(("mktemp -d %s"):format(quote(sessions .. "/" .. options.name
    .. ".XXXXXX"))):match "[^\n]+"
  local self = setmetatable({
    dir = dir, top = options.top, kind = options.kind, c = dir .. "/prefix/drive_c",
    tool = quote(options.top .. "/tests/wine/session"),
  }, meta)
  local words = { "start", dir, options.kind }
  for _, right in ipairs { "read", "write" } do
    for _, folder in ipairs(options[right] or {}) do
      words[#words + 1], words[#words + 2] = right, folder
    end
  end
  self.owner = own_process()
  shell.must(("KEYMEND_OWNER=%d %s %s"):format(self.owner, self.tool, shell.words(words)))
  sessions_open[self] = true
  return self
end

function wine.stop_all()
  for self in pairs(sessions_open) do self:stop() end
end

-- The path of a file of the host as Windows sees it.
function wine.path(path)
  return "Z:" .. path:gsub("/", "\\")
end

-- Runs a Windows program: { exit =, out =, err = }, without carriage returns. options: input,
-- environment (NAME = value), folder (of the host; default: drive C:), raw (carriage returns stay),
-- seconds (after which it is ended, exit 124), before (words of the chroot to run it by)
function methods:run(words, options)
  options = options or {}
  local line = { "run", self.dir }
  for name, value in pairs(options.environment or {}) do line[#line + 1] = name .. "=" .. value end
  for _, word in ipairs(words) do line[#line + 1] = word end
  local result = shell.run(("cd %s && KEYMEND_WINE_SECONDS=%d exec %s %s"):format(
    quote(options.folder or self.c), options.seconds or 120, self.tool, shell.words(line)),
    options.input)
  if not options.raw then
    result.out, result.err = result.out:gsub("\r\n", "\n"), result.err:gsub("\r\n", "\n")
  end
  return result
end

-- Starts a Windows program and does not wait: its output goes to the file `log` of the host.
function methods:spawn(words, log)
  local line = { "run", self.dir }
  for _, word in ipairs(words) do line[#line + 1] = word end
  shell.must(("cd %s && { %s %s > %s 2>&1 < /dev/null & }"):format(quote(self.c), self.tool,
    shell.words(line), quote(log)))
end

-- For what a test sets up.
function methods:must(words, options)
  local result = self:run(words, options)
  if result.exit ~= 0 then
    error(("%s\nended with %d: %s%s"):format(table.concat(words, " "), result.exit, result.out,
      result.err), 2)
  end
  return result.out
end

function methods:set_value(key, name, text)
  self:must { "reg", "add", key, "/v", name, "/d", text, "/f" }
end

-- The value's text, nil when it is absent.
function methods:value(key, name)
  local result = self:run { "reg", "query", key, "/v", name }
  return result.out:match(name:gsub("%p", "%%%0") .. "%s+REG_%u+%s+([^\n]*)\n")
end

-- The registry as text files, Windows being down: edit(text) gives back the changed text of FILE
-- ("system.reg").
function methods:edit_registry(file, edit)
  shell.must(self.tool .. " halt " .. quote(self.dir))
  local path = self.dir .. "/prefix/" .. file
  shell.write(path, (edit(shell.read(path))))
  shell.must(("KEYMEND_OWNER=%d %s boot %s"):format(self.owner, self.tool, quote(self.dir)))
end

function methods:restart()
  shell.must(self.tool .. " halt " .. quote(self.dir))
  shell.must(self.tool .. " boot " .. quote(self.dir))
end

function methods:stop()
  shell.run(self.tool .. " stop " .. quote(self.dir))
  shell.remove_work(self.dir)
  sessions_open[self] = nil
end

return wine
