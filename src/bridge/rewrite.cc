#include "bridge/rewrite.h"

#include "mcp/revision.h"

#include <algorithm>
#include <array>
#include <limits>

#include <boost/json/parse.hpp>

namespace mcp_oauth {
namespace {

constexpr std::string_view key_prefix = "io.modelcontextprotocol/";
constexpr revision newest_with_sessions = revision::v2025_11_25;

const json::object* object_in(const json::value* value, std::string_view name) {
  if (value == nullptr || !value->is_object()) return nullptr;
  const auto* member = value->as_object().if_contains(name);
  return member != nullptr && member->is_object() ? &member->as_object() : nullptr;
}

json::string text_of(std::string_view text) { return json::string(text.data(), text.size()); }

std::string serialized(const json::object* of, std::string_view otherwise) {
  return of != nullptr ? json::serialize(*of) : std::string(otherwise);
}

// 1e400 is JSON, and no number here can be as large: it would be written as a word that is none.
void keep_finite(json::value& value) {
  constexpr double most = std::numeric_limits<double>::max();
  if (auto* number = value.if_double()) *number = std::clamp(*number, -most, most);
  if (auto* list = value.if_array())
    for (auto& item : *list) keep_finite(item);
  if (auto* object = value.if_object())
    for (auto& member : *object) keep_finite(member.value());
}

}  // namespace

std::optional<json::value> read_tree(std::string_view text) {
  json::parse_options options;
  options.max_depth = 128;
  boost::system::error_code failed;
  auto value = json::parse({text.data(), text.size()}, failed, {}, options);
  if (failed) return std::nullopt;
  keep_finite(value);
  return value;
}

std::string in_quotes(std::string_view text) { return json::serialize(text_of(text)); }

std::string with_members(std::string_view text, std::size_t at, bool object_is_empty,
                         std::string_view members) {
  std::string out;
  out.reserve(text.size() + members.size() + 1);
  out += text.substr(0, at);
  out += members;
  if (!object_is_empty) out += ',';
  out += text.substr(at);
  return out;
}

std::string with_replaced(std::string_view text, text_place where, std::string_view by) {
  std::string out;
  out.reserve(text.size() + by.size());
  out += text.substr(0, where.at);
  out += by;
  out += text.substr(where.at + where.size);
  return out;
}

std::string with_id(std::string_view text, const message_facts& facts, std::string_view raw_id) {
  return with_replaced(text, facts.id_place, raw_id);
}

client_profile profile_of_initialize(std::string_view request) {
  client_profile client;
  auto root = read_tree(request);
  if (!root || !root->is_object()) return client;
  const auto* params = root->as_object().if_contains("params");
  client.info = serialized(object_in(params, "clientInfo"), "");
  client.capabilities = serialized(object_in(params, "capabilities"), "{}");
  return client;
}

client_profile profile_of_meta(std::string_view request) {
  client_profile client;
  auto root = read_tree(request);
  if (!root || !root->is_object()) return client;
  const auto* params = root->as_object().if_contains("params");
  const auto* meta =
      params != nullptr && params->is_object() ? params->as_object().if_contains("_meta") : nullptr;
  client.info = serialized(object_in(meta, "io.modelcontextprotocol/clientInfo"), "");
  client.capabilities = serialized(object_in(meta, "io.modelcontextprotocol/clientCapabilities"), "{}");
  return client;
}

std::string with_meta_members(std::string_view text, const message_facts& facts, std::string_view members) {
  if (facts.meta_place.size > 0) {
    auto inside = text.substr(facts.meta_place.at + 1, facts.meta_place.size - 2);
    bool empty = inside.find_first_not_of(" \t\r\n") == std::string_view::npos;
    return with_members(text, facts.meta_place.at + 1, empty, members);
  }
  std::string inserted = R"("_meta":{)" + std::string(members) + '}';
  if (facts.params_at > 0) return with_members(text, facts.params_at, facts.params_empty, inserted);
  inserted = R"("params":{)" + inserted + '}';
  std::string out(text.substr(0, facts.closing_at));
  if (!facts.message_empty) out += ',';
  out += inserted;
  out += text.substr(facts.closing_at);
  return out;
}

std::string with_request_meta(std::string_view text, const message_facts& facts,
                              const client_profile& client) {
  std::string members = R"("io.modelcontextprotocol/protocolVersion":")";
  members += name(newest_revision);
  members += '"';
  if (!client.info.empty()) members += R"(,"io.modelcontextprotocol/clientInfo":)" + client.info;
  members += R"(,"io.modelcontextprotocol/clientCapabilities":)" + client.capabilities;
  if (!client.log_level.empty())
    members += R"(,"io.modelcontextprotocol/logLevel":)" + in_quotes(client.log_level);
  return with_meta_members(text, facts, members);
}

std::string without_request_meta(std::string_view text, const message_facts& facts) {
  if (facts.meta_place.size == 0) return std::string(text);
  auto meta = read_tree(text.substr(facts.meta_place.at, facts.meta_place.size));
  if (!meta || !meta->is_object()) return std::string(text);
  json::object kept;
  for (const auto& [key, value] : meta->as_object()) {
    if (!std::string_view(key).starts_with(key_prefix)) kept[key] = value;
  }
  return with_replaced(text, facts.meta_place, json::serialize(kept));
}

std::string with_input(std::string_view text, const message_facts& facts, const json::object& responses,
                       const json::value* state) {
  std::string members = R"("inputResponses":)" + json::serialize(responses);
  if (state != nullptr) members += R"(,"requestState":)" + json::serialize(*state);
  return with_members(text, facts.params_at, facts.params_empty, members);
}

std::string make_request(std::string_view raw_id, std::string_view method, std::string_view raw_params) {
  std::string text = R"({"jsonrpc":"2.0","id":)";
  text += raw_id;
  text += R"(,"method":)";
  text += in_quotes(method);
  if (!raw_params.empty()) {
    text += R"(,"params":)";
    text += raw_params;
  }
  text += '}';
  return text;
}

std::string initialize_request(std::string_view raw_id, const client_profile& client) {
  std::string params = R"({"protocolVersion":")";
  params += name(newest_with_sessions);
  params += R"(","capabilities":)" + client.capabilities + R"(,"clientInfo":)";
  params +=
      client.info.empty() ? std::string(R"({"name":"mcp-oauth-proxy bridge","version":"0"})") : client.info;
  params += '}';
  return make_request(raw_id, "initialize", params);
}

std::string make_result(std::string_view raw_id, std::string_view raw_result) {
  std::string text = R"({"jsonrpc":"2.0","id":)";
  text += raw_id;
  text += R"(,"result":)";
  text += raw_result;
  text += '}';
  return text;
}

std::string make_notification(std::string_view method, std::string_view raw_params) {
  std::string text = R"({"jsonrpc":"2.0","method":)";
  text += in_quotes(method);
  if (!raw_params.empty()) {
    text += R"(,"params":)";
    text += raw_params;
  }
  text += '}';
  return text;
}

std::string initialize_result_of(const json::object& discovered, std::string_view offered) {
  auto wanted = parse_revision(offered);
  auto spoken = wanted && *wanted <= newest_with_sessions ? *wanted : newest_with_sessions;
  json::object result;
  result["protocolVersion"] = text_of(name(spoken));
  const auto* capabilities = discovered.if_contains("capabilities");
  result["capabilities"] = capabilities != nullptr ? *capabilities : json::value(json::object());
  const auto* info = object_in(discovered.if_contains("_meta"), "io.modelcontextprotocol/serverInfo");
  if (info == nullptr) {
    const auto* older = discovered.if_contains("serverInfo");
    if (older != nullptr && older->is_object()) info = &older->as_object();
  }
  result["serverInfo"] = info != nullptr
                             ? json::value(*info)
                             : json::value(json::object{{"name", "MCP server"}, {"version", "0"}});
  if (const auto* instructions = discovered.if_contains("instructions"))
    result["instructions"] = *instructions;
  return json::serialize(result);
}

std::string discover_result_of(const json::object& initialized) {
  json::object result;
  result["resultType"] = "complete";
  result["supportedVersions"] = json::array{text_of(name(newest_revision))};
  const auto* capabilities = initialized.if_contains("capabilities");
  result["capabilities"] = capabilities != nullptr ? *capabilities : json::value(json::object());
  if (const auto* instructions = initialized.if_contains("instructions"))
    result["instructions"] = *instructions;
  result["ttlMs"] = 0;
  result["cacheScope"] = "private";
  if (const auto* info = initialized.if_contains("serverInfo"); info != nullptr && info->is_object()) {
    json::object meta;
    meta["io.modelcontextprotocol/serverInfo"] = *info;
    result["_meta"] = std::move(meta);
  }
  return json::serialize(result);
}

std::string_view result_members_for(std::string_view method) {
  constexpr std::array kept = {"tools/list", "prompts/list", "resources/list", "resources/templates/list",
                               "resources/read"};
  for (std::string_view one : kept) {
    if (method == one) return R"("resultType":"complete","ttlMs":0,"cacheScope":"private")";
  }
  return R"("resultType":"complete")";
}

}  // namespace mcp_oauth
