-- The actions that are offered for a FeedbackBridge.

-- A rotation that runs refuses another one, unless it is forced.
local function runs(rotation)
  return rotation ~= nil and rotation.phase ~= nil and rotation.phase ~= "Stable"
end

local given = (obj.spec or {}).credentials or {}
local jwt, hmac = given.jwt or {}, given.hmac or {}
local credentials = (obj.status or {}).credentials or {}
local suspended = obj.spec ~= nil and obj.spec.suspend == true

-- Only what the operator makes can it rotate: keys that it generates, and tokens that it signs.
local nothing = hmac.generate == nil and jwt.generate == nil and jwt.signingKeySecretRef == nil
local running = (hmac.generate ~= nil and runs(credentials.hmac))
  or (jwt.generate ~= nil and runs((credentials.jwt or {}).rotation))

return {
  ["rotate-now"] = {
    displayName = "Rotate the keys now",
    iconClass = "fa fa-fw fa-key",
    disabled = nothing or suspended or running
  },
  ["rotate-now-force"] = {
    displayName = "Rotate the keys now, although a rotation runs",
    iconClass = "fa fa-fw fa-bolt",
    disabled = nothing or suspended or not running
  },
  ["suspend"] = {displayName = "Stop the bot", iconClass = "fa fa-fw fa-pause", disabled = suspended},
  ["resume"] = {displayName = "Start the bot", iconClass = "fa fa-fw fa-play", disabled = not suspended}
}
