-- A value that begins with "force" is not refused while a rotation runs: the newest key takes the place of the one that
-- was on its way.
local os = require("os")
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["feedbackbridge.dev/rotate-now"] = "force-" .. os.date("!%Y-%m-%dT%XZ")
return obj
