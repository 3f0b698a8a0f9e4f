-- For wrk (LuaJIT): the token from the environment, never from the command line, and one line of JSON in the end.
local token = os.getenv("BENCH_TOKEN")
if token then wrk.headers["X-Auth-Token"] = token end

function done(summary, latency, requests)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format(
    '\nRESULT {"requests": %d, "seconds": %f, "failed": %d, "p50_ms": %f, "p90_ms": %f, "p99_ms": %f, "max_ms": %f}\n',
    summary.requests, summary.duration / 1e6, failed, latency:percentile(50) / 1e3, latency:percentile(90) / 1e3,
    latency:percentile(99) / 1e3, latency.max / 1e3))
end
