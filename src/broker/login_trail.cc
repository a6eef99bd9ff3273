#include "broker/login_trail.h"

#include "broker/browser.h"

namespace mcp_oauth {
namespace {

constexpr std::size_t most_steps = 16;
constexpr std::size_t longest_id = 32;

std::int64_t milliseconds_of(time_point t) {
  return std::chrono::duration_cast<milliseconds>(t.time_since_epoch()).count();
}

}  // namespace

std::string login_key(std::string_view client_id, std::string_view code_challenge) {
  if (code_challenge.empty()) return "";
  return digest_of(std::string(client_id) + "\n" + std::string(code_challenge)).substr(0, 22);
}

void tell_log(broker_log& log, const approved_access& access) {
  log.login = login_key(access.client_id, access.code_challenge);
  log.steps = access.steps;
}

void walk(const exchange& x, approved_access& access, std::string_view hop) {
  if (access.steps.empty()) access.steps = x.log->openings;
  tell_log(*x.log, access);
  add_step(access.steps, hop, x.request->request_id, x.now);
}

void add_step(std::vector<login_step>& steps, std::string_view hop, std::string_view id, time_point now) {
  if (steps.size() >= most_steps) return;
  steps.push_back({std::string(hop), std::string(id), milliseconds_of(now), false});
}

json::array to_json(const std::vector<login_step>& steps) {
  json::array all;
  for (const auto& s : steps) {
    json::array one{s.hop, s.id, s.at};
    if (s.probable) one.emplace_back(true);
    all.push_back(std::move(one));
  }
  return all;
}

std::vector<login_step> steps_from(const json::object& o, std::string_view name) {
  std::vector<login_step> steps;
  const auto* found = o.if_contains(json::string_view(name.data(), name.size()));
  if (found == nullptr || !found->is_array()) return steps;
  for (const auto& one : found->get_array()) {
    if (steps.size() >= most_steps || !one.is_array()) break;
    const auto& parts = one.get_array();
    if (parts.size() < 3 || !parts[0].is_string() || !parts[1].is_string() || !parts[2].is_int64()) continue;
    const auto& hop = parts[0].get_string();
    const auto& id = parts[1].get_string();
    if (hop.size() > longest_id || id.size() > longest_id) continue;
    steps.push_back({std::string(hop.data(), hop.size()), std::string(id.data(), id.size()),
                     parts[2].get_int64(), parts.size() > 3});
  }
  return steps;
}

std::optional<login_progress> progress_of(const record& r) {
  bool is_code = r.kind == "code";
  if (!is_code && r.kind != "login") return std::nullopt;
  auto data = parse_json_object(r.data);
  if (!data) return std::nullopt;
  const auto* terms = data->if_contains("access");
  if (terms == nullptr || !terms->is_object()) return std::nullopt;
  auto access = access_from(terms->get_object());
  std::int64_t expires = 0;
  bool used = false;
  if (!access || read(*data, "expires", expires) != member::present) return std::nullopt;
  if (is_code && read(*data, "used", used) != member::present) return std::nullopt;
  using stage = login_progress::stage;
  return login_progress{login_key(access->client_id, access->code_challenge), std::move(access->steps),
                        used      ? stage::ended
                        : is_code ? stage::code_given
                                  : stage::signing_in,
                        from_unix(expires)};
}

}  // namespace mcp_oauth
