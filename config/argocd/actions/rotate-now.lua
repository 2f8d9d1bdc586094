-- Any new value of the annotation starts a rotation; the time says when it was asked for.
local os = require("os")
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["feedbackbridge.dev/rotate-now"] = os.date("!%Y-%m-%dT%XZ")
return obj
