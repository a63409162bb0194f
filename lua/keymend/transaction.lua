-- transaction.lua: transactions as objects: what the core tells of one, with methods
--
-- Fields are those of the core (id, state, begun, ended, files, stop, start, vault, ...).

local M = {}

local Transaction = {}
Transaction.__index = Transaction
Transaction.__name = "keymend.transaction"
M.metatable = Transaction

-- The target of each, so that it lives as long as its transactions and is no field that is printed.
local target_of = setmetatable({}, { __mode = "k" })

-- Makes the table of the core an object that belongs to `target`.
function M.wrap(txn, target)
  target_of[txn] = target
  return setmetatable(txn, Transaction)
end

-- Reverses it: transaction, outcome, or nil, message, code, native, outcome. options: progress(stage, text).
function Transaction:undo(options)
  return target_of[self]:undo(self.id, options or {})
end

-- Empties its vault; it cannot be undone after that.
function Transaction:purge()
  return target_of[self]:purge(self.id)
end

function Transaction:text()
  local page = require("keymend.page").buffer()
  require("keymend.report").transaction(page, self)
  return page:text()
end

function Transaction:__tostring()
  return ("keymend.transaction (%s, %s)"):format(self.id, self.state)
end

return M
