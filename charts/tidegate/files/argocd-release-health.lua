-- The health of a Release, for Argo CD: what serves counts as much as what was asked for.
local health = {status = "Progressing", message = "The operator has not seen it yet"}
if obj.metadata.deletionTimestamp ~= nil then
  health.message = "It is being let go"
  return health
end
local conditions = {}
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    conditions[condition.type] = condition
  end
end
local ready = conditions.Ready
if ready == nil or ready.observedGeneration ~= obj.metadata.generation then
  return health -- what it says is of an older spec
end
health.message = ready.message
local stalled = conditions.Stalled
if ready.status == "True" then
  health.status = "Healthy"
elseif stalled ~= nil and stalled.status == "True" then
  health.status = "Degraded" -- only a person can move it: reverted, refused, no valid spec
elseif ready.reason == "Paused" or ready.reason == "LoweredByHand" then
  health.status = "Suspended"
end
return health
