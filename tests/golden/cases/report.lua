-- report.lua: the report of a volume on which much has happened, as text and as a page
local volume = ...

local rich = assert(loadfile(volume.cases .. "/../../report/rich.lua"))(volume)

return {
  title = "the report: text and page, the same on every system",
  volume = rich.volume,
  script = function(t)
    local check = t.check
    t:remember()
    local found = t:keymend "report"
    check.equal(found.exit, 4, "report: " .. found.err)
    t:expect("report.report.txt", found.out)
    found = t:keymend("report", { "--html", "page.html", "--quiet" })
    check.equal(found.exit, 4, "report --html: " .. found.err)
    local page = t.shell.read(t.dir .. "/page.html") or ""
    check.has(page, "<!DOCTYPE html>\n<html ", "the page is written")
    check.has(page, "</html>\n$", "to its end", true)
    check.has(page, volume.OLD, "it names the key")
    found = t:keymend("report", { "--html", "page.html" })
    check.equal(found.exit, 4, "its own page is replaced: " .. found.err)
    t:write("notes.txt", "mine\n")
    found = t:keymend("report", { "--html", "notes.txt" })
    check.equal(found.exit, 32, "another file is not")
    check.equal(t.shell.read(t.dir .. "/notes.txt"), "mine\n", "it is as it was")
    found = t:keymend("report", { "--html", "volume/page.html" })
    check.equal(found.exit, 32, "nothing is written into the volume: " .. found.err)
    t:same("report", true)
  end,
}
