-- bloated.lua: a store with many imported keys: inventory, orphans, compare and prune tell the same on every system
local volume = ...

local function imported(index)
  return ("{%08X-8C3D-4A6E-9E57-2B64F0C1D8A3}"):format(index)
end

local keys = {
  { container = volume.IIS, guid = volume.NEW, made = "2001-03-14T10:22:31Z" },
  { container = "Web farm keys", guid = volume.NEW, made = "2001-05-01T00:00:00Z" },
  { container = imported(100), guid = volume.NEW, made = "2002-01-01T00:00:00Z", damage = "truncated" },
  { container = imported(101), name = "old key.bak", made = "2002-01-01T00:00:00Z" },
}
for index = 1, 6 do
  keys[#keys + 1] = { container = imported(index), guid = index % 2 == 0 and volume.NEW or volume.OLD,
    made = ("200%d-02-01T00:00:00Z"):format(index), signature = false, exchange = 512 }
end

return {
  title = "a bloated store: old imported keys go into the vault, and come back",
  volume = { keys = keys },
  script = function(t)
    local check, shell = t.check, t.shell
    local function run(name, words, before)
      local script = assert(shell.read(volume.cases .. "/../../../scripts/repair/" .. name .. ".lua"))
      t:write(name .. ".lua", script)
      shell.must("chmod 644 " .. shell.quote(t.dir .. "/" .. name .. ".lua"))
      local line = before or {}
      line[#line + 1] = name .. ".lua"
      for _, word in ipairs(words or {}) do line[#line + 1] = word end
      return t:keymend("run", line)
    end
    -- The store is told in the order of its folder.
    local function sorted(text)
      local lines = {}
      for line in text:gmatch "[^\n]+" do lines[#lines + 1] = line end
      table.sort(lines)
      return table.concat(lines, "\n") .. "\n"
    end
    t:remember()
    for _, name in ipairs { "inventory", "orphans", "prune" } do
      local found = run(name)
      check.equal(found.exit, 0, name .. ": " .. found.err)
      check.equal(found.err, "", name .. " shows no progress in a pipe")
      t:expect("bloated." .. name .. ".txt", sorted(found.out))
      t:same(name, true)
    end
    t:write("saved.json", run("inventory", { "--json" }).out)
    check.equal(run("compare", { "saved.json" }).exit, 0, "the store is as the inventory says")
    local before = t:store()
    local done = run("prune", { "--apply" }, { "--write" })
    check.equal(done.exit, 0, "prune --apply: " .. done.out .. done.err)
    local found = run("compare", { "saved.json" })
    check.equal(found.exit, 4, "files are gone")
    t:expect("bloated.compare.txt", found.out)
    check.equal(t:keymend("undo").exit, 0, "undo")
    check.same_text(shell.listing(t:store()), shell.listing(before), "undo brings all of it back")
  end,
}
