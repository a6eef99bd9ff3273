#include "gateway/client_address.h"

#include "base/text.h"

#include <algorithm>
#include <optional>

namespace mcp_oauth {
namespace {

constexpr std::string_view common_header = "X-Forwarded-For";
constexpr std::string_view standard_header = "Forwarded";

bool is_port(std::string_view text) {
  return !text.empty() && text.size() <= 5 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// "192.0.2.7", "2001:db8::1" and "[2001:db8::1]", the first and the last also with a port, as some proxies
// write them. In one spelling.
std::optional<std::string> address_in(std::string_view node) {
  if (node.starts_with('[')) {
    auto end = node.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    auto behind = node.substr(end + 1);
    if (!behind.empty() && !(behind.front() == ':' && is_port(behind.substr(1)))) return std::nullopt;
    node = node.substr(1, end - 1);
    if (node.find(':') == std::string_view::npos) return std::nullopt;
  } else if (auto colon = node.find(':'); colon != std::string_view::npos && colon == node.rfind(':')) {
    if (!is_port(node.substr(colon + 1))) return std::nullopt;
    node = node.substr(0, colon);
  }
  auto address = ip_address::parse(node);
  if (!address) return std::nullopt;
  return address->unmapped().to_string();
}

// The node that one element of Forwarded names (RFC 7239 §4, §6).
std::string_view node_of(std::string_view element) {
  for (std::size_t at = 0; at < element.size();) {
    auto end = std::min(element.find(';', at), element.size());
    auto pair = trim(element.substr(at, end - at));
    at = end + 1;
    if (!starts_with_ignoring_case(pair, "for=")) continue;
    auto value = pair.substr(4);
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
      value = value.substr(1, value.size() - 2);
    return value;
  }
  return {};
}

// All lines of that name as the one list they are, in their order (RFC 9110 §5.3).
std::string list_of(std::span<const field> fields, std::string_view name) {
  std::string list;
  for (const auto& f : fields) {
    if (!equal_ignoring_case(f.name, name)) continue;
    if (!list.empty()) list += ", ";
    list += f.value;
  }
  return list;
}

}  // namespace

client_address::client_address(const settings& conf)
    : trusted_(ranges_of(conf.trusted_proxies)),
      standard_(equal_ignoring_case(conf.trusted_proxy_header, standard_header)) {}

std::string client_address::of(const std::string& peer, std::span<const field> fields) const {
  if (trusted_.empty() || !is_trusted(peer)) return peer;
  auto list = list_of(fields, standard_ ? standard_header : common_header);
  // From the right: each proxy appends what it saw. No address has a comma in it, so a quote that a client
  // left open cannot swallow what a proxy wrote behind it.
  std::string_view rest = list;
  while (!rest.empty()) {
    auto comma = rest.rfind(',');
    auto hop = trim(comma == std::string_view::npos ? rest : rest.substr(comma + 1));
    auto address = address_in(standard_ ? node_of(hop) : hop);
    if (!address) return peer;
    if (!is_trusted(*address)) return *address;
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(0, comma);
  }
  return peer;
}

bool client_address::is_known(std::string_view peer, std::span<const field> fields) const {
  return !was_forwarded(fields) || is_trusted(peer);
}

bool client_address::is_trusted(std::string_view address) const {
  auto parsed = ip_address::parse(address);
  return parsed && std::any_of(trusted_.begin(), trusted_.end(),
                               [&](const address_range& r) { return r.contains(*parsed); });
}

bool was_forwarded(std::span<const field> fields) {
  return std::any_of(fields.begin(), fields.end(), [](const field& f) {
    return starts_with_ignoring_case(f.name, "x-forwarded-") || equal_ignoring_case(f.name, "forwarded") ||
           equal_ignoring_case(f.name, "x-real-ip") || equal_ignoring_case(f.name, "via");
  });
}

std::vector<address_range> ranges_of(const std::vector<std::string>& written) {
  std::vector<address_range> ranges;
  for (const auto& text : written) {
    if (auto range = address_range::parse(text)) ranges.push_back(*range);
  }
  return ranges;
}

}  // namespace mcp_oauth
