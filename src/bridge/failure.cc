#include "bridge/failure.h"

#include "base/http.h"
#include "base/text.h"
#include "mcp/error_body.h"
#include "symptom/catalogue.h"

#include <array>

namespace mcp_oauth {
namespace {

int code_of(const bridge_failure& failure) {
  switch (failure.why.code) {
    case errc::body_not_json: return jsonrpc::parse_error;
    case errc::body_malformed:
    case errc::batch_refused:
    case errc::body_too_large: return jsonrpc::invalid_request;
    case errc::bridge_not_translatable: return jsonrpc::method_not_found;
    case errc::upstream_refused:
    case errc::upstream_unreachable:
    case errc::upstream_timeout:
    case errc::upstream_closed:
    case errc::upstream_tls_failed:
    case errc::upstream_proxy_refused:
    case errc::bridge_ending: return bridge_code::transport_failed;
    default: return bridge_code::upstream_refused;
  }
}

// The catalogue speaks of a gateway's settings; here these count.
struct bridge_words {
  errc code;
  std::string_view cause, fix;
  std::string_view title = {};  // "": as it stands there
};
constexpr auto of_a_bridge = std::to_array<bridge_words>({
    {errc::upstream_refused, "Nothing listens at the address of the MCP server.",
     "Start the MCP server, or correct the URL in the configuration of your client; inside a container "
     "localhost is the "
     "container itself."},
    {errc::upstream_unreachable,
     "The name does not resolve, nothing listens there, its certificate is not trusted, or no route leads "
     "there.",
     "Check the URL in the configuration of your client, DNS, the network and HTTPS_PROXY; a private "
     "authority is "
     "named with --ca-file (TLS_CA_FILE).",
     "The MCP server cannot be reached"},
    {errc::upstream_timeout, "The MCP server said nothing within upstream.timeoutMs.",
     "Raise upstream.timeoutMs (UPSTREAM_TIMEOUT_MS, --timeout-ms), or look at the MCP server."},
    {errc::upstream_malformed, "Another protocol is spoken at that port, or TLS is missing.",
     "Check scheme and port of the URL in the configuration of your client."},
    {errc::upstream_not_mcp,
     "The address is that of a web page: a wrong path, or another sign-in in front of the server.",
     "Check the path of the URL in the configuration of your client."},
    {errc::upstream_tls_failed, "The certificate of the MCP server is not trusted, or is for another name.",
     "Name its authority with --ca-file (TLS_CA_FILE); with 'wrong version number' the server speaks plain "
     "http."},
});

json::string text_of(std::string_view text) { return json::string(text.data(), text.size()); }

// What others said may be any bytes; a line of ours is UTF-8.
std::string readable(std::string_view text) {
  std::string out(text);
  bool valid = is_valid_utf8(out);
  for (char& c : out) {
    bool plain = (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F) &&
                 (valid || static_cast<unsigned char>(c) < 0x80);
    if (!plain) c = '?';
  }
  return out;
}

}  // namespace

std::string_view cut_text(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text;
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xC0U) == 0x80) --limit;
  return text.substr(0, limit);
}

symptom bridge_symptom(errc code) {
  auto row = explain(code);
  for (const auto& words : of_a_bridge) {
    if (words.code != code) continue;
    row.cause = words.cause;
    row.fix = words.fix;
    if (!words.title.empty()) row.description = words.title;
  }
  return row;
}

std::string failure_words(const bridge_failure& failure) {
  std::string words;
  if (failure.why.code == errc::upstream_status || failure.why.code == errc::upstream_throttled) {
    words = "upstream returned " + std::to_string(failure.status);
    if (auto phrase = reason_phrase(failure.status); !phrase.empty()) words += " " + std::string(phrase);
  } else if (failure.why.code == errc::upstream_timeout) {
    words = "upstream timed out";
  } else {
    words = bridge_symptom(failure.why.code).description;
  }
  auto detail = readable(failure.why.detail);
  if (detail.starts_with(words)) return detail;
  if (!detail.empty()) words += ": " + detail;
  return words;
}

std::string failure_answer(std::string_view program, std::string_view raw_id, const bridge_failure& failure,
                           const std::function<std::string(std::string_view)>& here) {
  const auto row = bridge_symptom(failure.why.code);
  json::object data;
  if (failure.status != 0) data["status"] = failure.status;
  data["code"] = text_of(row.name);
  data["symptom"] = text_of(row.id);
  if (!failure.why.detail.empty()) data["reason"] = text_of(readable(failure.why.detail));
  data["cause"] = text_of(row.cause);
  std::string told(failure.hint.empty() ? row.fix : std::string_view(failure.hint));
  data["fix"] = text_of(here ? here(told) : told);
  if (!failure.said.empty() && is_valid_utf8(failure.said))
    data["body"] = text_of(cut_text(failure.said, most_said));
  std::string message(program);
  message += ": ";
  message += failure_words(failure);
  return jsonrpc_error(raw_id, code_of(failure), message, std::move(data));
}

}  // namespace mcp_oauth
