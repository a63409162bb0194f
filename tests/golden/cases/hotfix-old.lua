-- hotfix-old.lua: files of Service Pack 4, older than those of KB 884872's hotfix
local volume = ...
local hotfix = require "hotfix"

return {
  title = "files older than the hotfix's",
  volume = {
    keys = { { container = volume.IIS, guid = volume.NEW, made = "2001-03-14T10:22:31Z" } },
    files = hotfix.files({
      ["Advapi32.dll"] = "5.0.2195.6710", ["Kernel32.dll"] = "5.0.2195.6688", ["Ksecdd.sys"] = "5.0.2195.6710",
      ["Crypt32.dll"] = "5.131.2195.6661", ["Rsaenh.dll"] = "5.0.2195.6611", ["Winhttp.dll"] = "5.1.2600.1327",
      ["Cmd.exe"] = "5.0.2195.6824", ["Lsasrv.dll"] = "5.0.2195.10000", ["Msgina.dll"] = "5.0.3000.1",
      ["Netapi32.dll"] = "no program at all",
    }, false),
  },
  script = function(t)
    t:remember()
    local found = t:keymend "hotfix"
    t.check.equal(found.exit, 4, "hotfix: " .. found.err)
    t:expect("hotfix-old.hotfix.txt", found.out .. found.err)
    local machine = t:json "hotfix"
    t.check.equal(machine.exit, 4, "hotfix --json")
    t:expect("hotfix-old.hotfix.json", machine.out)
    t:same("hotfix", true)
    local quiet = t:keymend("hotfix", { "--quiet" })
    t.check.has(quiet.out, "^Hotfix: [^\n]*\nAction: [^\n]*\nDowntime: [^\n]*\n$", "--quiet prints three lines", true)
    t.check.equal(quiet.exit, 4, "--quiet has the same exit status")
    t.check.equal(t:keymend("hotfix", { "more" }).exit, 16, "it takes no word")
  end,
}
