-- proof_spec.lua: tests of what proof decides, with fake keys and sources

local fake = require "fake"
local diagnosis = require "keymend.diagnosis"
local facts = require "keymend.facts"
local plans = require "keymend.plan"
local proof = require "keymend.proof"

local DAY = fake.DAY
local OLD, NEW, THIRD = fake.name(fake.OLD), fake.name(fake.NEW), fake.name(fake.THIRD)
local YES = { decryptable = "yes", text = "it decrypts" }

local function row(verdict, fields)
  local made = { kind = "configuration", verdict = verdict, what = "provider Aes", where = "C:\\a.config",
    text = "it says so", use = "IIS" }
  for name, value in pairs(fields or {}) do made[name] = value end
  made.use = made.use or nil
  return made
end

-- Two old keys of the same second, and one made after the reset where `current`.
local function keys(current)
  local list = {
    fake.key(fake.OLD, { made = fake.RESET - 900 * DAY }), fake.key(fake.THIRD, { made = fake.RESET - 900 * DAY }),
  }
  if current then list[3] = fake.key(fake.NEW, { made = fake.RESET + 60 }) end
  return list
end

local function judge(list, more, options, policy)
  local target = fake.target(list, more)
  local found = assert(diagnosis.run(target, { fake.policy(policy) }, options))
  return found, found.cases[1], target
end

local function kinds(finding)
  local list = {}
  for index, one in ipairs(finding.evidence) do list[index] = one.kind end
  return table.concat(list, " ")
end

describe("proof", function()
  it("decides among candidates that time does not tell apart", function()
    local found, case = judge(keys(), { proofs = { [OLD] = YES, [THIRD] = YES },
      rows = { [OLD] = { row "disproved" }, [THIRD] = { row "proved" } } })
    assert.equal("repair", found.verdict)
    assert.equal(THIRD, case.verdict.adopt.name)
    assert.equal("it is proved by the provider Aes in C:\\a.config", case.verdict.reason)
    assert.same({ "error key.orphaned", "warning key.disproved" }, fake.lines(found))
    assert.matches("proof identity identity choice", kinds(fake.finding(found, "key.orphaned")))
    assert.equal("identity", fake.finding(found, "key.disproved").wording)
  end)

  it("is not that a key decrypts", function()
    local found, case = judge(keys(), { proofs = { [OLD] = YES, [THIRD] = YES } })
    assert.equal("refused", found.verdict)
    assert.matches("none of them is proved", case.verdict.refused)
  end)

  it("excludes what cannot be decrypted, so that the last one is the only candidate", function()
    for verdict, wording in pairs(proof.REFUTES) do
      local found, case = judge(keys(), { proofs = { [OLD] = { decryptable = verdict, text = "no" }, [THIRD] = YES } })
      assert.equal(THIRD, case.verdict.adopt.name)
      assert.equal("it is the only candidate that is not disproved", case.verdict.reason)
      assert.equal(wording ~= "missing" and wording or nil, fake.finding(found, "key.disproved").wording)
    end
  end)

  describe("of a file with one bad part", function()
    local BAD = {
      decryptable = "mismatch", text = "the signature key: it does not fit",
      signature = { decryptable = "mismatch" }, exchange = { decryptable = "yes" },
    }
    local function try(rows, of)
      return judge(keys(), { proofs = { [OLD] = of or BAD, [THIRD] = YES }, rows = { [OLD] = rows } })
    end

    it("tells the fault, and does not disprove, where the other part is proved and decrypts", function()
      local found, case = try { row("proved", { part = "exchange" }) }
      assert.equal(OLD, case.verdict.adopt.name)
      assert.same({ "error key.orphaned" }, fake.lines(found))
      local said = fake.finding(found, "key.orphaned").evidence
      local text = ""
      for _, one in ipairs(said) do text = text .. one.text .. "\n" end
      assert.matches("the signature key: it does not fit; the provider Aes in C:\\a.config needs the exchange key "
        .. "alone, which decrypts", text, 1, true)
    end)

    it("says so where a master key of that part is gone", function()
      local _, case = try({ row("proved", { part = "exchange" }) }, { decryptable = "no-master-key", text = "gone",
        signature = { decryptable = "no-master-key" }, exchange = { decryptable = "yes" } })
      assert.equal(OLD, case.verdict.adopt.name)
    end)

    it("is disproved where that part is the needed one, both are, or nothing is proved", function()
      for _, rows in ipairs {
        { row("proved", { part = "signature" }) }, { row "proved" }, { row("consistent", { part = "exchange" }) },
        { row("proved", { part = "exchange" }), row("proved", { part = "signature" }) },
        { row("proved", { part = "exchange" }), row("consistent", { kind = "metabase" }) }, {},
      } do
        local found, case = try(rows)
        assert.equal(THIRD, case.verdict.adopt.name)
        assert.equal("mismatch", fake.finding(found, "key.disproved").wording)
      end
    end)

    it("stays unchecked where the needed part is", function()
      local _, case = try({ row("proved", { part = "exchange" }) }, { decryptable = "no-master-key", text = "gone",
        signature = { decryptable = "no-master-key" }, exchange = { decryptable = "unknown" } })
      assert.equal(OLD, case.verdict.adopt.name)
      assert.is_false(proof.decrypts(case.verdict.adopt))
    end)

    it("is another's where something in use was made with another key", function()
      local found = try { row("proved", { part = "exchange" }), row "disproved" }
      assert.equal("mismatch", fake.finding(found, "key.disproved").wording)
    end)
  end)

  it("that cannot be had is no fault", function()
    local found, case = judge({ keys()[1] })
    assert.equal(OLD, case.verdict.adopt.name)
    assert.same({ "error key.orphaned" }, fake.lines(found))
    local said = fake.finding(found, "key.orphaned").evidence
    assert.equal("nothing was proved: no SECURITY hive", said[#said - 1].text)
  end)

  it("that fails to open is no fault either", function()
    local found, case = judge({ keys()[1] }, { proof_error = { "out of memory", "memory" } })
    assert.equal(OLD, case.verdict.adopt.name)
    assert.matches("nothing was proved: out of memory", fake.finding(found, "key.orphaned").evidence[3].text)
  end)

  it("of several with different bytes decides nothing", function()
    local found, case = judge(keys(), { rows = { [OLD] = { row("proved", { use = false }) },
      [THIRD] = { row("proved", { use = false, history = true }) } } })
    assert.equal("refused", found.verdict)
    assert.matches("2 of them are proved, each by something else", case.verdict.refused)
  end)

  it("by something consistent is none", function()
    local found = judge(keys(), { proofs = {}, rows = { [OLD] = { row "consistent" } } })
    assert.equal("refused", found.verdict)
    assert.matches("what fits here is no proof", found:text())
  end)

  it("that contradicts itself decides nothing", function()
    local found, case = judge(keys(), { rows = { [OLD] = { row "proved", row("disproved", { where = "D:\\b" }) } } })
    assert.equal("refused", found.verdict)
    assert.equal(2, #case.candidates)
    assert.matches("contradicts itself", found:text())
  end)

  it("by what is in use goes before that of the past", function()
    local _, case = judge(keys(), { rows = {
      [OLD] = { row "disproved", row("proved", { use = false, history = true }) }, [THIRD] = { row "proved" },
    } })
    assert.equal(THIRD, case.verdict.adopt.name)
  end)

  it("of files that hold one key is of one key: the one that decrypts is adopted, else the newest", function()
    for _, proofs in ipairs { { [OLD] = YES, [THIRD] = { decryptable = "unknown", text = "not tried" } }, false } do
      local list = keys()
      list[2] = fake.key(fake.THIRD, { made = fake.RESET - 870 * DAY })
      list[2].signature = list[1].signature
      local _, case = judge(list, { proofs = proofs or nil, rows = { [OLD] = { row "proved" },
        [THIRD] = { row "proved" } } })
      local chosen, other = proofs and OLD or THIRD, proofs and THIRD or OLD
      assert.equal(chosen, case.verdict.adopt.name)
      assert.matches("proved by the provider Aes in C:\\a.config, and " .. other .. " holds the same key",
        case.verdict.reason, 1, true)
    end
  end)

  it("of two that nothing tells apart leaves no third one to the other rules", function()
    local list = keys()
    list[3] = fake.key("aaaaaaaa-570f-47f5-8cc1-f6e151231826", { made = fake.RESET - 400 * DAY })
    local found, case = judge(list, { rows = { [OLD] = { row "proved" }, [THIRD] = { row "proved" } } }, {},
      { adopt = { ["function"] = function(candidates)
        for _, key in ipairs(candidates) do
          if not key.proved then return key, "a backup names it" end
        end
      end } })
    assert.is_nil(case.verdict.adopt)
    assert.matches("a backup names it; but .* is proved by the provider Aes", case.verdict.refused)
    assert.truthy(fake.finding(found, "key.ambiguous"))
  end)

  it("of a key that was not decrypted says so", function()
    local found, case = judge({ keys()[1] }, { rows = { [OLD] = { row "proved" } } })
    assert.equal("it is proved by the provider Aes in C:\\a.config; that it decrypts here was not checked "
      .. "(no SECURITY hive)", case.verdict.reason)
    assert.matches("was not checked %(no SECURITY hive%)", fake.finding(found, "key.orphaned").evidence[3].text)
  end)

  it("without a key that can be decrypted tells what cannot be saved", function()
    local found = judge({ keys()[1] }, { rows = { [OLD] = { row "proved" } },
      proofs = { [OLD] = { decryptable = "master-key-closed", text = "it does not open" } } })
    assert.same({ "error key.lost", "warning key.disproved" }, fake.lines(found))
    assert.matches("it does not open; yet it is the key of the provider Aes", fake.finding(found,
      "key.disproved").evidence[1].text)
  end)

  it("opens one session and closes it, also when a judge fails", function()
    local _, _, target = judge(keys())
    assert.equal(1, target.opened_proofs)
    assert.equal(1, target.closed_proofs)
    local broken = fake.target(keys())
    local judges = diagnosis.judges
    diagnosis.judges = { function(one) one.facts.proof():problem() error "broken" end }
    local ok, message = pcall(diagnosis.run, broken, { fake.policy() }, {})
    diagnosis.judges = judges
    assert.falsy(ok)
    assert.matches("broken", message)
    assert.equal(1, broken.closed_proofs)
  end)

  it("is asked of sound keys alone", function()
    local damaged = fake.key(fake.OLD, { made = fake.RESET, status = "damaged", damage = "cut" })
    local _, case, target = judge { damaged }
    assert.is_nil(case.keys[1].proof)
    assert.is_nil(target.opened_proofs)
  end)

  it("of a renamed file is told, and no rule adopts it", function()
    local stray = fake.key(fake.OLD, { name = OLD .. ".OLD", made = fake.RESET - 900 * DAY })
    local found, case = judge({ stray }, { rows = { [stray.name] = { row "proved" } } })
    assert.is_nil(case.verdict.adopt)
    assert.matches("is proved by the provider Aes", found:text())
  end)
end)

describe("the current key", function()
  it("that is proved is healthy, whatever the times say", function()
    local found, case = judge(keys(true), { rows = { [NEW] = { row "proved" }, [OLD] = { row "disproved" } } })
    assert.truthy(case.verdict.healthy)
    assert.same({ "info key.healthy", "info key.leftover" }, fake.lines(found))
  end)

  it("that is proved is never retired", function()
    local more = { rows = { [NEW] = { row "proved" } } }
    local found, case = judge(keys(true), more, { adopt = { OLD } })
    assert.is_nil(case.verdict.adopt)
    assert.matches("cannot be retired: it is proved by the provider Aes", found.refusals[1])
    found = judge(keys(true), more, { retire = { NEW } })
    assert.matches("cannot be retired: it is proved", found.refusals[1])
  end)

  it("and another one, both proved by what nobody uses, are refused", function()
    local unused = { use = false }
    local found, case = judge(keys(true), { rows = { [NEW] = { row("proved", unused) },
      [OLD] = { row("proved", unused) } } })
    assert.matches("each of them is proved", case.verdict.refused)
    assert.same({ "error key.ambiguous" }, fake.lines(found))
  end)

  it("and a copy of it, both proved, are no rivals", function()
    local list = keys(true)
    list[1].signature = list[3].signature
    local unused = { use = false }
    local _, case = judge(list, { rows = { [NEW] = { row("proved", unused) }, [OLD] = { row("proved", unused) } } })
    assert.truthy(case.verdict.healthy)
  end)

  it("that only the past proves is not in order while its services say that it is wrong", function()
    local failed = { IISADMIN = { "stopped", 0x80090016 }, W3SVC = { "stopped", 1068 } }
    for _, past in ipairs { { history = true }, { use = false } } do
      local rows = { rows = { [NEW] = { row("proved", past) } } }
      local found, case = judge(keys(true), fake.live(failed, rows))
      assert.matches("by nothing that is known to be in use", case.verdict.refused)
      assert.equal(3, #fake.finding(found, "key.ambiguous").keys)
      assert.same({}, fake.finding(found, "key.ambiguous").commands)
      found = judge({ keys(true)[3] }, fake.live(failed, rows))
      assert.truthy(fake.finding(found, "key.current-wrong"))
    end
    local found = judge(keys(true), fake.live(failed, { rows = { [NEW] = { row "proved" } } }))
    assert.truthy(fake.finding(found, "key.healthy"))
  end)

  it("that is disproved gives way to a candidate, also without times", function()
    local list = keys(true)
    for _, key in ipairs(list) do key.created_source = "none" end
    local found, case = judge(list, { rows = { [NEW] = { row "disproved" }, [THIRD] = { row "proved" },
      [OLD] = { row "disproved" } } })
    assert.equal(NEW, case.verdict.retire.name)
    assert.equal(THIRD, case.verdict.adopt.name)
    assert.equal("provider Aes in C:\\a.config: it says so", case.verdict.why_retire)
    assert.same({ "error key.regenerated", "warning key.disproved" }, fake.lines(found))
  end)

  it("that is disproved stays while a service runs that was started with it", function()
    local running = { IISADMIN = { "running", started = fake.RESET + 5000 },
      W3SVC = { "running", started = fake.RESET + 5000 }, SMS_EXECUTIVE = { "running", started = fake.RESET + 5000 } }
    local decryptable = { false, "no-master-key", "master-key-closed", "bad-signature", "mismatch" }
    for _, verdict in ipairs(decryptable) do
      local more = fake.live(running, { rows = { [NEW] = { row(verdict and "unknown" or "disproved") },
        [THIRD] = { row "proved" }, [OLD] = { row "disproved" } },
        proofs = verdict and { [NEW] = { decryptable = verdict, text = "it does not open" } } })
      local found, case = judge(keys(true), more)
      assert.is_nil(case.verdict.retire)
      assert.equal("disproved", fake.finding(found, "key.in-use").wording)
    end
  end)

  it("that is disproved, with nothing to adopt, is an error", function()
    local found = judge({ keys(true)[3] }, { rows = { [NEW] = { row "disproved" } } })
    assert.same({ "error key.disproved" }, fake.lines(found))
    assert.equal("other", found.findings[1].wording)
    assert.matches("not the key of what is in%s+use", found:text())
  end)
end)

describe("a disproved key that is named", function()
  local more = { rows = { [OLD] = { row "disproved" }, [THIRD] = { row "proved" } } }

  it("is refused, and the message says why", function()
    local found, case = judge(keys(), more, { adopt = { OLD } })
    assert.is_nil(case.verdict.adopt)
    assert.matches("is disproved: provider Aes in C:\\a.config: it says so", found.refusals[1], 1, true)
    assert.matches("add --force-disproved", found.refusals[1], 1, true)
  end)

  it("is adopted with --force-disproved, which the plan names", function()
    local found, case = judge(keys(), more, { adopt = { OLD }, force_disproved = true })
    assert.equal(OLD, case.verdict.adopt.name)
    local plan = plans.from_diagnosis(found)
    assert.matches("--force-disproved", plan.overrides, 1, true)
    assert.equal("chosen", fake.finding(found, "key.disproved").wording)
  end)

  it("stays adopted only if somebody insisted", function()
    for _, overrides in ipairs { "", "--adopt " .. OLD .. " --force-disproved" } do
      local current = fake.key(fake.NEW, { made = fake.RESET - 900 * DAY })
      local _, case = judge({ current }, { rows = { [NEW] = { row "disproved" } }, transactions = { {
        id = "20261123T121959Z-3f9a2c", state = "committed", overrides = overrides,
        files = { { before = OLD, after = NEW, sha256 = current.sha256 } },
      } } })
      assert.equal(overrides ~= "" or nil, case.verdict.adopted)
    end
  end)

  it("is refused in a saved plan too", function()
    local found, _, target = judge(keys(), more, { adopt = { OLD }, force_disproved = true })
    local plan = plans.from_diagnosis(found)
    assert.truthy(plan:fit(target))
    plan.overrides = plan.overrides:gsub(" %-%-force%-disproved", "")
    local fits, message, code = plan:fit(target)
    assert.is_nil(fits)
    assert.equal("stale", code)
    assert.matches("it is disproved: provider Aes", message)
    assert.equal(target.opened_proofs, target.closed_proofs)
  end)
end)

describe("a policy's function", function()
  it("sees what proof says", function()
    local seen
    judge(keys(), { proofs = { [OLD] = YES }, rows = { [OLD] = { row "proved" } } }, {}, {
      adopt = { ["function"] = function(candidates)
        seen = candidates[1]
        return nil, "only looking"
      end },
    })
    assert.equal("yes", seen.decryptable)
    assert.truthy(seen.proved)
    assert.same({ kind = "configuration", verdict = "proved", what = "provider Aes", where = "C:\\a.config",
      use = "IIS", text = "it says so" }, seen.identity[1])
  end)
end)

describe("the facts", function()
  it("open no session before it is asked for", function()
    local target = fake.target(keys())
    local found = assert(facts.gather(target, { fake.policy() }, {}))
    found.close_proof()
    assert.is_nil(target.opened_proofs)
  end)
end)
