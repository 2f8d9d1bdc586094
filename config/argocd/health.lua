-- The health of a FeedbackBridge for Argo CD. It says what kstatus says (helm --wait, Flux, kubectl wait), and tells
-- apart what kstatus cannot: a bridge that is not ready and on its way (Progressing) from one that is not ready and
-- only retries, such as one whose site is gone (Degraded).

local function find(conditions, kind)
  for _, condition in ipairs(conditions) do
    if condition.type == kind then
      return condition
    end
  end
  return nil
end

local function is_true(condition)
  return condition ~= nil and condition.status == "True"
end

-- A condition as a person reads it: the reason is what the documentation is looked up by.
local function text(condition)
  local reason = condition.reason or ""
  local message = condition.message or ""
  if message == "" then
    return reason
  end
  return reason .. ": " .. message
end

local function health(status, message)
  return {status = status, message = message}
end

local status = obj.status or {}
local conditions = status.conditions or {}
local ready = find(conditions, "Ready")
local reconciling = find(conditions, "Reconciling")
local stalled = find(conditions, "Stalled")
local overdue = find(conditions, "RotationOverdue")
local storage = find(conditions, "StorageTrouble")

if ready == nil or status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "The operator has not looked at this version of the object yet.")
end
if is_true(stalled) then
  return health("Degraded", text(stalled))
end
if obj.spec ~= nil and obj.spec.suspend then
  return health("Suspended", ready.message)
end
if is_true(reconciling) then
  return health("Progressing", reconciling.message)
end
if not is_true(ready) then
  return health("Degraded", text(ready))
end
if is_true(storage) then
  -- Feedback flows, with a new database: somebody has to look at the one that was set aside.
  return health("Healthy", ready.message .. " But: " .. text(storage))
end
if is_true(overdue) then
  -- Feedback flows, with the key before: a thing to see to, not a failure that should stop a roll-out.
  return health("Healthy", ready.message .. " A rotation is overdue: " .. text(overdue))
end
return health("Healthy", ready.message)
