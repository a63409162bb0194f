-- browser.lua: shows pages in headless Chromium: measures them, checks them with axe-core, takes pictures
--
--   local browser, why = require("browser").new(work, top)     nil and why there is none
--   browser:look(page, { width=, height=, dark= }) -> what probe.js tells, or nil, message
--   browser:picture(page, png, { width=, height=, dark= })
--   browser:print(page, pdf)

local json = require "dkjson"
local shell = require "shell"

local quote = shell.quote
local M = {}

local Browser = {}
Browser.__index = Browser

local SECONDS = 120

function M.new(work, top)
  if not shell.has "chromium" then return nil, "chromium is not installed" end
  local self = setmetatable({ work = work, count = 0 }, Browser)
  self.probe = assert(shell.read(top .. "/tests/report/probe.js"))
  local axe = shell.run(quote(top .. "/tests/report/axe"))
  if axe.exit == 0 then
    self.axe = assert(shell.read(axe.out:match "[^\n]+"))
  else
    self.no_axe = "axe-core is not here: " .. axe.err:gsub("%s+$", "")
  end
  return self
end

-- Chromium keeps a sandbox of its own, which root cannot have.
function Browser:run(options, address)
  local line = ("timeout -k 5 %d chromium --headless=new --disable-gpu --hide-scrollbars --no-first-run %s "
    .. "--user-data-dir=%s %s %s"):format(SECONDS, shell.user_id() == 0 and "--no-sandbox" or "",
    quote(self.work .. "/profile"), options, quote(address))
  return shell.run(line)
end

local function size(view)
  return ("--window-size=%d,%d%s"):format(view.width, view.height, view.dark and " --force-dark-mode" or "")
end

local function decoded(text)
  local pipe = assert(io.popen("echo " .. text .. " | base64 -d"))
  local result = pipe:read "*a"
  pipe:close()
  return json.decode(result, 1, nil)
end

local FRAME = [[<!DOCTYPE html><meta charset="utf-8"><title>waiting</title><body style="margin:0">
<iframe src="%s" style="border:0;width:%dpx;height:%dpx"></iframe>
<script>addEventListener("message", function (event) { document.title = "told " + event.data; });</script>]]

-- The page with the probe inside (its own policy lets no script run) in a frame of exactly that size.
function Browser:look(page, view)
  self.count = self.count + 1
  local name = ("%s/probe%d"):format(self.work, self.count)
  local copy = page:gsub("<meta[^>]*Content%-Security%-Policy[^>]*>", "", 1)
  local scripts = (self.axe and "<script>" .. self.axe .. "</script>" or "") .. "<script>" .. self.probe
    .. "</script></body>"
  shell.write(name .. ".html", (copy:gsub("</body>", function() return scripts end, 1)))
  shell.write(name .. "-frame.html", FRAME:format(name:match "[^/]+$" .. ".html", view.width, view.height))
  local result = self:run(("--virtual-time-budget=60000 --dump-dom %s"):format(size {
    width = view.width + 200, height = view.height + 300, dark = view.dark }), "file://" .. name .. "-frame.html")
  local told = result.out:match "<title>told ([%w+/=]+)</title>"
  if not told then return nil, "the browser told nothing: " .. result.err:sub(-600) end
  return decoded(told)
end

function Browser:picture(page, png, view)
  self.count = self.count + 1
  local name = ("%s/page%d.html"):format(self.work, self.count)
  shell.write(name, page)
  return self:run(size(view) .. " --screenshot=" .. quote(png), "file://" .. name)
end

function Browser:print(page, pdf)
  self.count = self.count + 1
  local name = ("%s/page%d.html"):format(self.work, self.count)
  shell.write(name, page)
  return self:run("--no-pdf-header-footer --print-to-pdf=" .. quote(pdf), "file://" .. name)
end

return M
