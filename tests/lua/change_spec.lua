-- change_spec.lua: what apply, undo and recover print and how they end on a running Windows, with fake targets
-- luacheck: ignore 122 (the streams are replaced to catch what is printed)

package.path = "tests/lua/?.lua;lua/?.lua;lua/?/init.lua;" .. package.path

local cli = require "keymend.cli"
local core = require "keymend.core"
local fake = require "fake"
local json = require "dkjson"

local OLD, NEW, DAY, RESET = fake.OLD, fake.NEW, fake.DAY, fake.RESET
local TXN = "20261123T121959Z-3f9a2c"

local target, stdout, stderr, is_terminal, keymend, policy, printed, told

local function stream(parts)
  return { write = function(_, ...) parts[#parts + 1] = table.concat { ... } end, flush = function() end }
end

-- Runs keymend with the fake target: exit status, what it printed, what it said on stderr.
local function run(...)
  printed, told = {}, {}
  io.stdout, io.stderr = stream(printed), stream(told)
  local ok, status = pcall(cli.main, { [0] = "keymend", ... })
  io.stdout, io.stderr = stdout, stderr
  assert(ok, status)
  return status, table.concat(printed), table.concat(told)
end

local function use_target(states, more, keys)
  keys = keys or { fake.key(OLD, { made = RESET - 1000 * DAY }), fake.key(NEW, { made = RESET + 82 }) }
  target = fake.target(keys, fake.live(states, more))
  target.close = function() end
  local apply = getmetatable(target).__index.apply
  -- What the core does to the store: the old key file takes the current name.
  function target:apply(...)
    local old = table.remove(self.store, 1)
    old.name, old.guid, old.class = fake.name(NEW), NEW, "current"
    self.store = { old }
    local txn, outcome = apply(self, ...)
    txn.files = { { before = fake.name(OLD), after = fake.name(NEW), sha256 = old.sha256 } }
    self.transactions = { txn }
    for _, service in ipairs(self.service_list) do
      service.state, service.exit_code = "running", nil
      for _, one in ipairs(txn.services) do
        if one.name == service.name and one.action == "start" then
          service.state, service.exit_code, service.specific_code = one.state, one.exit_code, one.specific_code
        end
      end
    end
    return txn, outcome
  end
end

local FAILING = { IISADMIN = { "stopped", 1008 }, W3SVC = { "stopped", 1008 }, SMS_EXECUTIVE = { "stopped", 1068 } }
local STARTED = {
  { name = "IISADMIN", action = "start", status = "ok", state = "running" },
  { name = "W3SVC", action = "start", status = "ok", state = "running" },
}
local NOT_STARTED = {
  { name = "IISADMIN", action = "start", status = "ok", state = "running" },
  { name = "W3SVC", action = "start", status = "io", state = "stopped", exit_code = 1008,
    message = "start the service W3SVC: it ended" },
}
local STUCK = {
  { name = "TermService", action = "stop", status = "unsupported", state = "running", message = "takes no stop" },
}

describe("on a running Windows", function()
  setup(function()
    stdout, stderr, is_terminal = io.stdout, io.stderr, core.is_terminal
    keymend, policy = require "keymend", require "keymend.policy"
    keymend.real_open, policy.real_load = keymend.open, policy.load_all
    keymend.open = function() return target end
    policy.load_all = function() return { fake.policy() } end
    core.is_terminal = function() return false end
  end)
  teardown(function()
    keymend.open, policy.load_all, core.is_terminal = keymend.real_open, policy.real_load, is_terminal
    keymend.real_open, policy.real_load = nil, nil
  end)

  it("apply tells each service and ends with 0 when they run", function()
    use_target(FAILING, { service_results = STARTED })
    local apply = target.apply
    function target:apply(plan, options)
      options.progress("stop", "W3SVC: does not run")
      options.progress("wait", "starting W3SVC: 1 s")
      options.progress("wait", "starting W3SVC: 2 s")
      options.progress("wait", "starting IISADMIN: 2 s")
      return apply(self, plan, options)
    end
    local status, out, err = run("apply", "--yes", "--root", "x", "--detailed-exitcode")
    assert.equal("", err)
    assert.equal(1, status, out)
    assert.truthy(out:find("stop    W3SVC: does not run", 1, true), out)
    assert.truthy(out:find("starting W3SVC: 1 s", 1, true), out)
    assert.is_nil(out:find("starting W3SVC: 2 s", 1, true), out)
    assert.truthy(out:find("starting IISADMIN: 2 s", 1, true), out)
    assert.truthy(out:find("Undo:\n  keymend undo " .. TXN .. " --root x", 1, true), out)
    assert.truthy(out:find("Cause:    none: the key of", 1, true), out)
    assert.is_nil(out:find("Next:", 1, true), out)
  end)

  it("a start that fails after apply is told once, with the undo command, and gives 4", function()
    use_target(FAILING, { service_results = NOT_STARTED })
    local status, out = run("apply", "--yes", "--root", "x")
    assert.equal(4, status, out)
    assert.truthy(out:find("Cause:    The keys are in order, but services did not start.", 1, true), out)
    assert.truthy(out:find("error   service.start-failed", 1, true), out)
    assert.truthy(out:find("W3SVC failed: ERROR_NO_TOKEN (1008)", 1, true), out)
    assert.truthy(out:find("Downtime: until these services start.", 1, true), out)
    assert.is_nil(out:find("service.failed", 1, true), out)
    local _, count = out:gsub("keymend undo " .. TXN:gsub("%p", "%%%0"), "")
    assert.equal(2, count, out)
  end)

  it("a change stands, and is told, when the target cannot be diagnosed after it", function()
    for _, words in ipairs { {}, { "--json" } } do
      use_target(FAILING, { service_results = STARTED })
      local survey = target.survey
      function target:survey(hashes)
        if #self.transactions > 0 then return nil, "the store cannot be read", "io" end
        return survey(self, hashes)
      end
      local status, out, err = run("apply", "--yes", "--root", "x", unpack(words))
      assert.equal(4, status, out .. err)
      assert.truthy((out .. err):find("cannot be diagnosed after it: the store cannot be read", 1, true), out .. err)
      if words[1] then
        local text = json.decode(out)
        assert.is_true(text.changed)
        assert.equal("committed", text.transaction.state)
        assert.equal("io", text.error.code)
      else
        assert.truthy(out:find("Done: transaction", 1, true), out)
        assert.truthy(out:find("keymend undo " .. TXN, 1, true), out)
      end
    end
  end)

  describe("over a remote desktop", function()
    local getenv, session, overruled = os.getenv, nil, nil
    -- What apply says in this session where the plan stops `service`.
    local function apply(service, name, backend, ...)
      session = name
      use_target(FAILING, { service_results = STARTED, info = { backend = backend } })
      local services = target.services
      function target:services()
        local handle = services(self)
        function handle.order() return { stop = { service }, start = { service }, cycles = {}, missing = {} } end
        return handle
      end
      local inner = target.apply
      function target:apply(plan, options)
        overruled = plan.overrides
        return inner(self, plan, options)
      end
      overruled = nil
      return run("apply", "--yes", "--root", "x", ...)
    end
    setup(function()
      os.getenv = function(name) -- luacheck: ignore 122
        if name == "SESSIONNAME" then return session end
        return getenv(name)
      end
    end)
    teardown(function()
      os.getenv = getenv -- luacheck: ignore 122
    end)

    it("apply refuses to stop TermService", function()
      local status, _, err = apply("TermService", "RDP-Tcp#12", "live")
      assert.equal(36, status, err)
      assert.truthy(err:find("the plan stops TermService, and this session (RDP-Tcp#12) comes over Remote Desktop", 1,
        true), err)
      assert.truthy(err:find("give --disconnect", 1, true), err)
      assert.is_nil(overruled)
      assert.equal(36, (apply("termservice", "rdp-tcp#0", "live")))
    end)

    it("--disconnect lets it through, and the journal names it", function()
      local status, out, err = apply("TermService", "RDP-Tcp#12", "live", "--disconnect")
      assert.truthy(status < 8, out .. err)
      assert.equal("--disconnect", overruled)
    end)

    it("nothing is asked where it is not cut", function()
      for _, case in ipairs {
        { "TermService", "Console", "live" }, { "TermService", nil, "live" },
        { "TermService", "RDP-Tcp#12", "offline" }, { "W3SVC", "RDP-Tcp#12", "live" },
      } do
        local status, out, err = apply(case[1], case[2], case[3])
        assert.truthy(status < 8, out .. err)
        assert.equal("", overruled)
      end
      assert.truthy((apply("W3SVC", "RDP-Tcp#12", "live", "--disconnect")) < 8)
      assert.equal("", overruled) -- it overruled nothing
    end)
  end)

  it("a service that takes no stop means that a restart is due", function()
    use_target(FAILING, { service_results = STUCK })
    local status, out = run("apply", "--yes", "--root", "x", "--detailed-exitcode")
    assert.equal(7, status, out)
    assert.truthy(out:find("Next:  restart Windows: TermService cannot be stopped while it runs.", 1, true), out)
    assert.truthy(out:find("warning service.restart-due", 1, true), out)
    assert.truthy(out:find("Action:   restart Windows.", 1, true), out)
    assert.truthy(out:find("Downtime: that of a restart of Windows.", 1, true), out)
    use_target(FAILING, { service_results = STUCK })
    status, out = run("apply", "--yes", "--root", "x", "--json")
    local document = assert(json.decode(out))
    assert.equal(4, status)
    assert.is_true(document.restart_due)
    assert.equal("TermService", document.service_results[1].name)
    assert.equal("unsupported", document.service_results[1].status)
  end)

  -- What the core does with the step restore-guid: the machine GUID is another one.
  local function use_restoring_target(states)
    local keys = { fake.key(OLD, { made = RESET - 1000 * DAY }), fake.key(NEW, { made = RESET + 82 }) }
    target = fake.target(keys, fake.live(states, { service_results = STARTED }))
    target.close = function() end
    local apply = getmetatable(target).__index.apply
    function target:apply(...)
      local txn, outcome = apply(self, ...)
      txn.ended = RESET + 10 * DAY
      self.facts.machine_guid, self.facts.guid = txn.guid_after, txn.guid_after
      keys[1].class, keys[2].class, self.transactions = "current", "foreign", { txn }
      return txn, outcome
    end
    function target:undo()
      local txn = self.transactions[1]
      self.facts.machine_guid, self.facts.guid, txn.state = NEW, NEW, "undone"
      return txn, "done"
    end
  end

  it("a machine GUID that was put back, or undone, means that a restart is due", function()
    use_restoring_target(FAILING)
    local status, out = run("apply", "--restore-guid", OLD, "--yes", "--root", "x", "--detailed-exitcode",
      "--no-services")
    assert.equal(7, status, out) -- its services fail until then
    assert.truthy(out:find("Next:  restart Windows: programs keep the machine GUID that they have read.", 1, true), out)
    assert.truthy(out:find("warning service.failed", 1, true), out)
    status, out = run("undo", "--root", "x", "--detailed-exitcode")
    assert.equal(3, status, out)
    assert.truthy(out:find("Undone: transaction " .. TXN .. "; the machine GUID is as it was\nbefore", 1, true), out)
    assert.truthy(out:find("Next:  restart Windows", 1, true), out)
    use_restoring_target(FAILING)
    status, out = run("apply", "--restore-guid", OLD, "--yes", "--root", "x", "--json")
    local document = assert(json.decode(out))
    assert.equal(4, status, out)
    assert.is_true(document.restart_due)
    assert.equal(OLD, document.transaction.guid_after)
    assert.equal(NEW, document.transaction.guid_before)
    assert.equal("restore-guid", document.plan.steps[1].kind)
    assert.equal(1, document.plan.restores.files_back)
  end)

  it("--restore-guid that is no GUID, or beside --adopt, is wrong usage; an unknown one is refused", function()
    use_restoring_target(FAILING)
    local status, _, err = run("plan", "--restore-guid", "abc", "--root", "x")
    assert.equal(16, status)
    assert.truthy(err:find('--restore-guid "abc" is no GUID', 1, true), err)
    status, _, err = run("plan", "--restore-guid", OLD, "--adopt", fake.name(OLD), "--root", "x")
    assert.equal(16, status)
    assert.truthy(err:find("--restore-guid does not go with --adopt", 1, true), err)
    status, _, err = run("apply", "--restore-guid", fake.THIRD, "--yes", "--root", "x")
    assert.equal(36, status)
    assert.truthy(err:find("refused: The former machine GUID " .. fake.THIRD .. " is not put back", 1, true), err)
    status, _, err = run("apply", "--plan", "x", "--restore-guid", OLD, "--root", "x")
    assert.equal(16, status)
    assert.truthy(err:find("does not go with --restore-guid", 1, true), err)
  end)

  it("--json of apply tells the findings of a failed start and its codes", function()
    use_target(FAILING, { service_results = NOT_STARTED })
    local status, out = run("apply", "--yes", "--root", "x", "--json")
    local document = assert(json.decode(out))
    assert.equal(4, status)
    assert.equal("service.start-failed", document.findings[1].id)
    assert.equal(1008, document.service_results[2].exit_code)
    assert.equal("start", document.service_results[2].action)
  end)

  it("undo and recover tell of services too", function()
    use_target({})
    target.transactions = { { id = TXN, state = "committed", files = {} } }
    function target.undo()
      return { id = TXN, state = "undone", files = {}, start = { "W3SVC" }, services = NOT_STARTED }, "done"
    end
    local status, out = run("undo", "--yes", "--root", "x")
    assert.equal(4, status, out)
    assert.truthy(out:find("Undone: transaction", 1, true), out)
    assert.truthy(out:find("error   service.start-failed", 1, true), out)
    status, out = run("undo", "--json", "--root", "x")
    assert.equal(4, status)
    assert.equal("service.start-failed", assert(json.decode(out)).findings[1].id)

    function target.recover() return 1, "done", STUCK end
    status, out = run("recover", "--root", "x", "--detailed-exitcode")
    assert.equal(7, status, out)
    assert.truthy(out:find("restart Windows: TermService", 1, true), out)
    function target.recover() return 0, "untouched", {} end
    status, out = run("recover", "--root", "x", "--json")
    assert.equal(0, status)
    assert.same({}, assert(json.decode(out)).service_results)
  end)

  it("apply --no-services says that services are left to do", function()
    use_target(FAILING, { service_results = {} })
    local apply = target.apply
    function target:apply(...)
      local txn, outcome = apply(self, ...)
      for _, service in ipairs(self.service_list) do
        if FAILING[service.name] then service.state, service.exit_code = "stopped", 1008 end
      end
      return txn, outcome
    end
    local status, out = run("apply", "--yes", "--no-services", "--root", "x")
    assert.equal(4, status, out)
    assert.truthy(out:find("Next:  restart the services that use the key; they were left alone.", 1, true), out)
    assert.truthy(out:find("Action:   start them, or look why they fail", 1, true), out)
    status, out = run("diagnose", "--root", "x")
    assert.equal(4, status, out)
    assert.truthy(out:find("If they have not been started\n        since, start them.", 1, true), out)
  end)

  it("what was stopped and does not start again after a rollback is told", function()
    use_target(FAILING)
    function target.apply()
      local services = { STUCK[1], unpack(NOT_STARTED) }
      return nil, "no space left", "no-space", 112, "rolled-back", { id = TXN, services = services }
    end
    local status, out, err = run("apply", "--yes", "--root", "x")
    assert.equal(12, status)
    assert.truthy(out:find("It failed, and everything is as it was before.", 1, true), out)
    assert.truthy(out:find("service.start-failed", 1, true), out)
    assert.is_nil(out:find("service.restart-due", 1, true), out)
    assert.truthy(err:find("no space left", 1, true), err)
    status, out = run("apply", "--yes", "--json", "--root", "x")
    local document = assert(json.decode(out))
    assert.equal(12, status)
    assert.equal("service.start-failed", document.findings[#document.findings].id)
    assert.equal(3, #document.service_results)
  end)

  it("a change after which nothing can be diagnosed tells of services all the same", function()
    use_target(FAILING, { service_results = NOT_STARTED })
    local apply = target.apply
    function target:apply(...)
      self.survey = function() return nil, "gone", "io", 5 end
      return apply(self, ...)
    end
    local status, out, err = run("apply", "--yes", "--root", "x")
    assert.equal(4, status)
    assert.truthy(out:find("service.start-failed", 1, true), out)
    assert.truthy(err:find("the change is done and stands", 1, true), err)
    use_target(FAILING, { service_results = NOT_STARTED })
    apply = target.apply
    function target:apply(...)
      self.survey = function() return nil, "gone", "io", 5 end
      return apply(self, ...)
    end
    status, out = run("apply", "--yes", "--json", "--root", "x")
    assert.equal(4, status)
    assert.equal("service.start-failed", assert(json.decode(out)).findings[1].id)
  end)

  it("a change without the rights is refused with 32 and the reason, before anything is looked at", function()
    local info = { capabilities = { { id = "writing", available = false, text = "no rights" } } }
    local purge = { "history", "--purge", TXN, "--yes" }
    for _, words in ipairs { { "apply", "--yes" }, { "undo" }, { "recover" }, purge } do
      use_target(FAILING, { info = info })
      function target.survey() error "nothing may be read" end
      words[#words + 1], words[#words + 2] = "--root", "x"
      local status, _, err = run(unpack(words))
      assert.equal(32, status, words[1])
      assert.equal("keymend: refused: no rights\n", err)
    end
    use_target(FAILING, { info = info })
    assert.equal(4, (run("diagnose", "--root", "x")))
  end)

  it("apply that the core refuses for its rights ends with 32 too", function()
    use_target({}, nil, { fake.key(OLD, { made = RESET - DAY }) })
    function target.apply() return nil, "run keymend as administrator", "access", 5, "untouched" end
    local status, _, err = run("apply", "--yes", "--root", "x")
    assert.equal(36, status)
    assert.truthy(err:find("refused: run keymend as administrator", 1, true), err)
  end)

  it("a saved plan does not retire a key that is in use since", function()
    use_target(FAILING)
    local path = os.tmpname()
    assert.equal(0, (run("plan", "--save", path, "--root", "x")))
    use_target({ IISADMIN = { "running", started = RESET + DAY } })
    local status, _, err = run("apply", "--yes", "--plan", path, "--root", "x")
    os.remove(path)
    assert.equal(32, status, err)
    assert.truthy(err:find("IISADMIN was started with it", 1, true), err)
  end)

  it("a saved plan is shown with the services that run now before it is applied", function()
    use_target(FAILING)
    local path = os.tmpname()
    assert.equal(0, (run("plan", "--save", path, "--root", "x")))
    use_target { W3SVC = { "stopped", 1008 } }
    local stdin = io.stdin
    io.stdin, core.is_terminal = { read = function() return "n" end }, function() return true end
    local status, out = run("apply", "--plan", path, "--root", "x", "--no-color")
    io.stdin, core.is_terminal = stdin, function() return false end
    os.remove(path)
    assert.equal(32, status, out)
    assert.truthy(out:find("Running now: SMS_EXECUTIVE, IISADMIN.", 1, true), out)
  end)

  it("plan settles a failed service that apply starts, and no other", function()
    use_target(FAILING)
    assert.equal(0, (run("plan", "--root", "x")))
    use_target { W3SVC = { "stopped", 1008 }, MSFTPSVC = { "stopped", 1067 } }
    assert.equal(4, (run("plan", "--root", "x")))
  end)

  it("services tells states", function()
    use_target { W3SVC = { "stopped", 1066, 0x80090016 }, MSFTPSVC = { "stopped", 1077 } }
    local status, out = run("services", "--root", "x")
    assert.equal(0, status)
    assert.truthy(out:find("stopped, failed: NTE_BAD_KEYSET (0x80090016): Keyset does not exist", 1, true), out)
    assert.truthy(out:find("stopped, not started since Windows was", 1, true), out)
    assert.truthy(out:find("\n    running\n", 1, true), out)
    status, out = run("services", "--json", "--root", "x")
    local list = assert(json.decode(out)).services.list
    assert.equal(0, status)
    local seen = {}
    for _, service in ipairs(list) do seen[service.name] = service end
    assert.equal("running", seen.IISADMIN.state)
    assert.equal(1066, seen.W3SVC.exit_code)
  end)
end)
