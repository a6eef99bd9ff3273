#include "mcp/headers.h"

#include "base/base64url.h"
#include "base/text.h"
#include "mcp/revision.h"

namespace mcp_oauth {
namespace {

constexpr std::string_view encoded_prefix = "=?base64?", encoded_suffix = "?=";

struct mirrored {
  std::optional<std::string_view> method, name, version;
};

// To servers that turn names into variables (CGI, WSGI), `_` and `-` are one character.
bool spells(std::string_view name, std::string_view ours) {
  if (name.size() != ours.size()) return false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (to_lower(name[i] == '_' ? '-' : name[i]) != to_lower(ours[i])) return false;
  }
  return true;
}

result<mirrored> collect(std::span<const field> fields) {
  mirrored found;
  for (const auto& f : fields) {
    if (!starts_with_ignoring_case(f.name, "mcp")) continue;
    std::optional<std::string_view>* into = nullptr;
    if (spells(f.name, "Mcp-Method")) into = &found.method;
    if (spells(f.name, "Mcp-Name")) into = &found.name;
    if (spells(f.name, "MCP-Protocol-Version")) into = &found.version;
    if (into == nullptr) continue;
    if (f.name.find('_') != std::string_view::npos)
      return fail(errc::header_mismatch, "a mirrored header is spelled with _");
    if (into->has_value()) return fail(errc::header_mismatch, "a mirrored header stands twice");
    *into = f.value;
  }
  return found;
}

bool mirrors(std::string_view version) {
  auto r = parse_revision(version);
  return r && has_mirrored_headers(*r);
}

}  // namespace

result<void> check_mirrored_headers(const envelope& body, std::span<const field> fields) {
  auto found = collect(fields);
  if (!found) return tl::unexpected<error>(found.error());
  bool call = body.kind != envelope::kind::response && body.kind != envelope::kind::batch;

  if (body.version_in_meta) {
    if (!found->version && mirrors(body.protocol_version)) {
      return fail(errc::header_mismatch, "no MCP-Protocol-Version, but the body names one");
    }
    if (found->version && *found->version != body.protocol_version) {
      return fail(errc::header_mismatch, "MCP-Protocol-Version differs from the body");
    }
  }
  // Revisions with mirrored headers have no batches, and what is in one would be mirrored by nothing.
  bool mirroring_batch = body.kind == envelope::kind::batch && found->version && mirrors(*found->version);
  for (const auto& item : body.items) {
    mirroring_batch = mirroring_batch || (item.version_in_meta && mirrors(item.protocol_version));
  }
  if (mirroring_batch) return fail(errc::batch_refused, "a batch in a revision that has none");
  if (body.kind == envelope::kind::response && found->version && mirrors(*found->version)) {
    return fail(errc::body_malformed, "a response, in a revision in which servers send no requests");
  }
  for (const auto& item : body.items) {
    if (item.version_in_meta && found->version && *found->version != item.protocol_version) {
      return fail(errc::header_mismatch, "MCP-Protocol-Version differs from a message of the batch");
    }
  }
  bool required = call && (mirrors(found->version.value_or("")) ||
                           (body.version_in_meta && mirrors(body.protocol_version)));

  if (found->method) {
    auto method = decode_mirrored_value(*found->method);
    if (!method) return fail(errc::header_mismatch, "Mcp-Method is malformed");
    if (!call || (*method != body.method && !body.method.empty())) {
      return fail(errc::header_mismatch, "Mcp-Method differs from the body");
    }
  } else if (required) {
    return fail(errc::header_mismatch, "no Mcp-Method");
  }

  if (!call || name_of(body.method) == name_member::none) return {};
  if (found->name) {
    auto name = decode_mirrored_value(*found->name);
    if (!name) return fail(errc::header_mismatch, "Mcp-Name is malformed");
    if (body.has_name ? *name != body.name : body.complete) {
      return fail(errc::header_mismatch, "Mcp-Name differs from the body");
    }
  } else if (required && body.has_name) {
    return fail(errc::header_mismatch, "no Mcp-Name");
  }
  return {};
}

result<envelope> envelope_of_mirrored_headers(std::span<const field> fields) {
  auto found = collect(fields);
  if (!found) return tl::unexpected<error>(found.error());
  if (!found->version || !mirrors(*found->version))
    return fail(errc::call_headers_missing,
                found->version ? "MCP-Protocol-Version names no revision that mirrors the body"
                               : "no MCP-Protocol-Version");
  if (!found->method) return fail(errc::call_headers_missing, "no Mcp-Method");
  auto method = decode_mirrored_value(*found->method);
  if (!method || method->empty()) return fail(errc::header_mismatch, "Mcp-Method is malformed");
  envelope said;
  said.kind = envelope::kind::request;
  said.method = std::move(*method);
  said.protocol_version = *found->version;
  said.complete = true;
  if (name_of(said.method) == name_member::none) return said;
  if (!found->name) return fail(errc::call_headers_missing, "no Mcp-Name");
  auto name = decode_mirrored_value(*found->name);
  if (!name) return fail(errc::header_mismatch, "Mcp-Name is malformed");
  said.has_name = true;
  said.name = std::move(*name);
  return said;
}

std::optional<std::string> decode_mirrored_value(std::string_view value) {
  for (char c : value) {
    if ((c < 0x20 && c != '\t') || c > 0x7E) return std::nullopt;
  }
  if (!value.starts_with(encoded_prefix)) return std::string(value);
  value.remove_prefix(encoded_prefix.size());
  if (!value.ends_with(encoded_suffix)) return std::nullopt;
  value.remove_suffix(encoded_suffix.size());
  auto decoded = base64_decode(value);
  if (!decoded || !is_valid_utf8(*decoded)) return std::nullopt;
  return decoded;
}

std::string encode_mirrored_value(std::string_view value) {
  bool plain = trim(value).size() == value.size() && !value.starts_with(encoded_prefix);
  for (char c : value) plain = plain && (c == '\t' || (c >= 0x20 && c <= 0x7E));
  if (plain) return std::string(value);
  std::string encoded(encoded_prefix);
  encoded += base64_encode(value);
  encoded += encoded_suffix;
  return encoded;
}

}  // namespace mcp_oauth
