#include "demo/server.h"

#include "base/form.h"
#include "base/json.h"
#include "base/text.h"
#include "demo/tools.h"
#include "mcp/error_body.h"
#include "mcp/headers.h"
#include "mcp/sse.h"

#include <utility>

namespace mcp_oauth {
namespace {

constexpr int session_not_found = -32001;
constexpr revision newest_with_sessions = revision::v2025_11_25;

demo_server::answer json_answer(int status, std::string body) {
  return {{status, {{"Content-Type", "application/json"}}, std::move(body)}, nullptr};
}

demo_server::answer error_answer(int status, std::string_view id, int code, std::string_view message,
                                 json::object data = {}) {
  return json_answer(status, jsonrpc_error(id, code, message, std::move(data)));
}

demo_server::answer empty_answer(int status) { return {{status, {}, ""}, nullptr}; }

demo_server::answer not_allowed(std::string methods) {
  return {{405, {{"Allow", std::move(methods)}}, ""}, nullptr};
}

demo_server::answer event_stream(std::unique_ptr<demo_stream> stream) {
  http_response head{
      200,
      {{"Content-Type", "text/event-stream"}, {"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}},
      ""};
  return {std::move(head), std::move(stream)};
}

bool accepts_events(const http_request& request) {
  for (const auto& [name, value] : request.fields) {
    if (equal_ignoring_case(name, "Accept") &&
        to_lower(value).find("text/event-stream") != std::string::npos) {
      return true;
    }
  }
  return false;
}

bool sends_json(const http_request& request) {
  auto type = request.fields.first("Content-Type");
  return equal_ignoring_case(trim(type.substr(0, type.find(';'))), "application/json");
}

std::vector<field> fields_of(const http_request& request) {
  std::vector<field> fields;
  for (const auto& [name, value] : request.fields) fields.push_back({name, value});
  return fields;
}

json::object params_of(const json::value& message) {
  const auto* params = message.is_object() ? message.as_object().if_contains("params") : nullptr;
  return params != nullptr && params->is_object() ? params->as_object() : json::object();
}

json::object versions(std::initializer_list<revision> supported, std::string_view requested) {
  json::array list;
  for (auto r : supported) list.push_back(text_of(name(r)));
  json::object data;
  data["supported"] = std::move(list);
  data["requested"] = text_of(requested);
  return data;
}

struct message_body {
  envelope about;
  json::value value;
};

result<message_body> read_body(const std::string& body) {
  envelope_scanner scanner;
  if (auto fed = scanner.feed(body); !fed) return tl::unexpected<error>(fed.error());
  if (auto done = scanner.finish(); !done) return tl::unexpected<error>(done.error());
  auto value = parse_json(body);
  if (!value) return tl::unexpected<error>(value.error());
  return message_body{scanner.seen(), std::move(*value)};
}

void cancel_if_asked(demo_session& session, const envelope& about, const json::value& body) {
  if (about.method != "notifications/cancelled") return;
  auto params = params_of(body);
  if (const auto* id = params.if_contains("requestId")) session.cancel(json::serialize(*id));
}

bool is_request(const envelope& about) { return about.kind == envelope::kind::request; }

}  // namespace

demo_server::demo_server(random_fn random) : sessions_(std::make_shared<demo_sessions>(std::move(random))) {}

demo_server::answer demo_server::handle(const http_request& request, time_point now) {
  ++counters_->requests;
  const auto& method = request.method;
  if (request.path == "/health") return method == "GET" ? health() : not_allowed("GET");
  if (request.path == "/sse") return method == "GET" ? open_legacy(now) : not_allowed("GET");
  if (request.path == "/messages") return method == "POST" ? post_legacy(request, now) : not_allowed("POST");
  if (request.path != "/mcp" && request.path != "/") return json_answer(404, R"({"error":"not found"})");

  if (method == "POST") return post(request, now);
  // 2026-07-28 has one method only.
  auto version = parse_revision(request.fields.first("MCP-Protocol-Version"));
  if (version && has_mirrored_headers(*version)) return not_allowed("POST");
  if (method == "GET") return open_stream(request, now);
  if (method == "DELETE") return end_session(request, now);
  return not_allowed("GET, POST, DELETE");
}

demo_server::answer demo_server::health() const {
  json::object body{{"status", "ok"}};
  body["requests"] = counters_->requests.load();
  body["abandoned"] = counters_->abandoned.load();
  body["cancelled"] = counters_->cancelled.load();
  return json_answer(200, json::serialize(body));
}

demo_server::answer demo_server::post(const http_request& request, time_point now) {
  if (!sends_json(request))
    return error_answer(415, "", jsonrpc::invalid_request, "Content-Type is not application/json");
  auto body = read_body(request.body);
  if (!body) return error_answer(400, "", jsonrpc::parse_error, "The body is no JSON-RPC message");

  auto header = parse_revision(request.fields.first("MCP-Protocol-Version"));
  bool stateless = body->about.version_in_meta || (header && has_mirrored_headers(*header));
  if (stateless) return post_stateless(request, body->about, body->value);
  return post_in_session(request, body->about, body->value, now);
}

demo_server::answer demo_server::post_stateless(const http_request& request, const envelope& about,
                                                const json::value& body) {
  if (about.kind == envelope::kind::batch || about.kind == envelope::kind::response) {
    return error_answer(400, "", jsonrpc::invalid_request, "One request or notification per POST");
  }
  auto fields = fields_of(request);
  if (auto mirrored = check_mirrored_headers(about, fields); !mirrored) {
    return error_answer(400, about.id, jsonrpc::header_mismatch, mirrored.error().detail);
  }
  if (!is_request(about)) return empty_answer(202);
  if (!about.version_in_meta) {
    return error_answer(400, about.id, jsonrpc::invalid_params, "_meta names no protocol version");
  }
  auto spoken = parse_revision(about.protocol_version);
  if (!spoken || !has_mirrored_headers(*spoken)) {
    return error_answer(400, about.id, jsonrpc::unsupported_protocol_version, "Unsupported protocol version",
                        versions({newest_revision}, about.protocol_version));
  }
  auto params = params_of(body);
  const auto& meta = params["_meta"].as_object();
  const auto* capabilities = meta.if_contains("io.modelcontextprotocol/clientCapabilities");
  if (capabilities == nullptr || !capabilities->is_object()) {
    return error_answer(400, about.id, jsonrpc::invalid_params, "_meta names no client capabilities");
  }
  auto reply = run(request, about, body, *spoken);
  if (reply.method_unknown) return json_answer(404, std::move(reply.messages[0].json));
  return send(request, std::move(reply), nullptr);
}

demo_server::answer demo_server::post_in_session(const http_request& request, const envelope& about,
                                                 const json::value& body, time_point now) {
  using enum revision;
  auto version = request.fields.first("MCP-Protocol-Version");
  if (!version.empty() && !parse_revision(version)) {
    return error_answer(400, about.id, jsonrpc::unsupported_protocol_version, "Unsupported protocol version",
                        versions({v2024_11_05, v2025_03_26, v2025_06_18, v2025_11_25, v2026_07_28}, version));
  }
  if (about.method == "initialize" && is_request(about)) return initialize(about, now);

  auto id = request.fields.only("Mcp-Session-Id");
  if (!id) return error_answer(400, about.id, jsonrpc::invalid_request, "Mcp-Session-Id is missing");
  auto session = sessions_->find(*id, now);
  if (!session) return error_answer(404, about.id, session_not_found, "Session not found");

  if (about.kind == envelope::kind::batch) return post_batch(request, about, body.as_array(), *session);
  cancel_if_asked(*session, about, body);
  if (!is_request(about)) return empty_answer(202);
  auto reply = run(request, about, body, session->spoken());
  for (const auto& message : reply.pushed) session->push(event_of(message));
  return send(request, std::move(reply), session->running(about.id));
}

demo_server::answer demo_server::initialize(const envelope& about, time_point now) {
  auto offered = parse_revision(about.protocol_version);
  // Over this transport an offer of 2024-11-05 is taken too, as the official servers do.
  bool spoken_here = offered && *offered <= newest_with_sessions;
  auto session = sessions_->create(spoken_here ? *offered : newest_with_sessions, now);
  auto answered = json_answer(200, jsonrpc_result(about.id, initialize_result(session->spoken())));
  answered.response.fields.add("Mcp-Session-Id", session->id());
  return answered;
}

demo_server::answer demo_server::post_batch(const http_request& request, const envelope& about,
                                            const json::array& items, demo_session& session) {
  if (!has_batches(session.spoken())) {
    return error_answer(400, "", jsonrpc::invalid_request, "This revision has no batches");
  }
  demo_reply all;
  bool at_once = true;
  for (std::size_t i = 0; i < items.size(); ++i) {
    cancel_if_asked(session, about.items[i], items[i]);
    if (!is_request(about.items[i])) continue;
    auto reply = run(request, about.items[i], items[i], session.spoken());
    for (const auto& message : reply.pushed) session.push(event_of(message));
    at_once = at_once && reply.at_once();
    if (reply.instead) return {std::move(*reply.instead), nullptr};
    if (reply.end == timed_stream::ending::abort) all.end = reply.end;
    for (auto& message : reply.messages) all.messages.push_back(std::move(message));
  }
  if (all.messages.empty() && all.end == timed_stream::ending::complete) return empty_answer(202);
  if (!at_once) return send(request, std::move(all), nullptr);
  std::string body = "[";
  for (const auto& message : all.messages) body += (body.size() > 1 ? "," : "") + message.json;
  return json_answer(200, body + "]");
}

demo_server::answer demo_server::open_stream(const http_request& request, time_point now) {
  if (!accepts_events(request))
    return error_answer(406, "", jsonrpc::invalid_request, "Accept lacks text/event-stream");
  auto id = request.fields.only("Mcp-Session-Id");
  if (!id) return error_answer(400, "", jsonrpc::invalid_request, "Mcp-Session-Id is missing");
  auto session = sessions_->find(*id, now);
  if (!session) return error_answer(404, "", session_not_found, "Session not found");
  return event_stream(
      std::make_unique<session_stream>(std::move(session), std::string(sse_keep_alive), nullptr));
}

demo_server::answer demo_server::end_session(const http_request& request, time_point now) {
  auto id = request.fields.only("Mcp-Session-Id");
  if (!id) return error_answer(400, "", jsonrpc::invalid_request, "Mcp-Session-Id is missing");
  if (!sessions_->find(*id, now)) return error_answer(404, "", session_not_found, "Session not found");
  sessions_->remove(*id);
  return empty_answer(204);
}

demo_server::answer demo_server::open_legacy(time_point now) {
  auto session = sessions_->create(revision::v2024_11_05, now);
  sse_event opening;
  opening.type = "endpoint";
  opening.data = "/messages?sessionId=" + session->id();
  return event_stream(std::make_unique<session_stream>(std::move(session), write_event(opening), sessions_));
}

demo_server::answer demo_server::post_legacy(const http_request& request, time_point now) {
  auto query = form::parse(request.query);
  auto id = query ? query->find("sessionId") : std::nullopt;
  if (!id) return error_answer(400, "", jsonrpc::invalid_request, "sessionId is missing");
  auto session = sessions_->find(*id, now);
  if (!session) return error_answer(404, "", session_not_found, "Session not found");
  auto body = read_body(request.body);
  if (!body || body->about.kind == envelope::kind::batch) {
    return error_answer(400, "", jsonrpc::parse_error, "The body is no JSON-RPC message");
  }
  cancel_if_asked(*session, body->about, body->value);
  if (is_request(body->about)) {
    auto reply = body->about.method == "initialize"
                     ? one_message(jsonrpc_result(body->about.id, initialize_result(revision::v2024_11_05)))
                     : run(request, body->about, body->value, revision::v2024_11_05);
    if (reply.instead) return {std::move(*reply.instead), nullptr};
    for (const auto& message : reply.pushed) session->push(event_of(message));
    session->push(std::make_unique<timed_stream>(std::move(reply.messages), timed_stream::framing::events,
                                                 reply.end, session->running(body->about.id), counters_));
  }
  return {{202, {{"Content-Type", "text/plain"}}, "Accepted"}, nullptr};
}

demo_reply demo_server::run(const http_request& request, const envelope& about, const json::value& body,
                            revision spoken) {
  demo_request r;
  r.spoken = spoken;
  r.id = about.id;
  r.method = about.method;
  r.params = params_of(body);
  r.fields = &request.fields;
  return answer_request(r);
}

demo_server::answer demo_server::send(const http_request& request, demo_reply reply,
                                      std::shared_ptr<std::atomic<bool>> cancelled) {
  if (reply.instead) return {std::move(*reply.instead), nullptr};
  if (reply.at_once()) return json_answer(200, std::move(reply.messages[0].json));
  if (accepts_events(request)) {
    return event_stream(std::make_unique<timed_stream>(std::move(reply.messages),
                                                       timed_stream::framing::events, reply.end,
                                                       std::move(cancelled), counters_));
  }
  // A client that takes no events gets the response alone, when it is due.
  std::vector<timed_message> response;
  if (!reply.messages.empty()) {
    milliseconds wait{0};
    for (const auto& message : reply.messages) wait += message.wait;
    response.push_back({wait, std::move(reply.messages.back().json)});
  }
  auto answered = json_answer(200, "");
  answered.stream = std::make_unique<timed_stream>(std::move(response), timed_stream::framing::json,
                                                   reply.end, std::move(cancelled), counters_);
  return answered;
}

}  // namespace mcp_oauth
