-- wrk script: chat requests of about 1 KB, every prompt a different one.
-- wrk … URL -- MODEL KIND SEED SENTENCES [MARKER]; KIND is whole, stream, or messages: a stream in Anthropic's format
-- score_alone.rs makes the same prompts: change both.

local per_prompt = 8
local sentences, head, model, tail, marker = {}, "", "", "", ""
local seed, count = 0, 0

-- Park and Miller's minimal standard generator: every product fits a double exactly.
local function draw()
  seed = seed * 16807 % 2147483647
  return seed
end

function init(args)
  model, seed, marker = args[1], tonumber(args[3]), args[5] or ""
  for line in io.lines(args[4]) do sentences[#sentences + 1] = line end
  local path = "/v1/chat/completions"
  tail = args[2] == "whole" and '"}]}' or '"}],"stream":true}'
  if args[2] == "messages" then
    path, tail = "/v1/messages", '"}],"max_tokens":1000,"stream":true}'
  end
  head = "POST " .. path .. " HTTP/1.1\r\nHost: " .. wrk.host .. ":" .. wrk.port
    .. "\r\nContent-Type: application/json\r\nContent-Length: "
end

local function prompt()
  local s = {}
  for i = 1, per_prompt do s[i] = sentences[draw() % #sentences + 1] end
  count = count + 1
  return table.concat(s, " ") .. " (case " .. count .. ")"
end

function request()
  local body = '{"model":"' .. model .. '","messages":[{"role":"user","content":"' .. prompt() .. marker .. tail
  return head .. #body .. "\r\n\r\n" .. body
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\nRESULT {"requests":%d,"microseconds":%d,"bytes":%d,"p50_us":%d,"p99_us":%d,"failed":%d}\n',
    summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
