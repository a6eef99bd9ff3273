#include "net/http_head.h"

#include "base/plain_run.h"
#include "base/text.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace mcp_oauth::net {
namespace {

constexpr std::size_t most_fields = 100, usual_fields = 16;
constexpr std::uint64_t longest_body = std::uint64_t{1} << 53;

enum : std::uint8_t { tchar = 1, target_char = 2, host_char = 4 };

constexpr auto char_classes = [] {
  std::array<std::uint8_t, 256> table{};
  auto add = [&](std::string_view chars, std::uint8_t c) {
    for (char x : chars)
      table[static_cast<unsigned char>(x)] =
          static_cast<std::uint8_t>(table[static_cast<unsigned char>(x)] | c);
  };
  constexpr std::string_view alnum = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  add(alnum, tchar | host_char);
  add("!#$%&'*+-.^_`|~", tchar);
  add("-._~:[]", host_char);  // reg-name without escapes, IP literals, port
  for (unsigned c = 0x21; c < 0x7F; ++c) {
    if (c != '#' && c != '\\' && c != '"' && c != '<' && c != '>') table[c] |= target_char;
  }
  return table;
}();

bool all_of(std::string_view text, std::uint8_t wanted) {
  for (char c : text) {
    if ((char_classes[static_cast<unsigned char>(c)] & wanted) == 0) return false;
  }
  return true;
}

// The first byte that no field value holds (RFC 9110 §5.5).
const char* pass_value(const char* at, const char* end) {
  for (;;) {
    at = pass_plain<beyond_ascii::plain, '\x7F'>(at, end);
    if (at == end || *at != '\t') return at;
    ++at;
  }
}

const char* pass_name(const char* at, const char* end) {
  while (at != end && (char_classes[static_cast<unsigned char>(*at)] & tchar) != 0) ++at;
  return at;
}

std::optional<std::string_view> lookup(const std::vector<field>& fields, std::string_view name) {
  for (const auto& f : fields) {
    if (equal_ignoring_case(f.name, name)) return f.value;
  }
  return std::nullopt;
}

// Takes one line off the front, without its CRLF. A bare CR or LF is no line end and no content.
bool take_line(std::string_view& rest, std::string_view& line) {
  const auto* end = static_cast<const char*>(std::memchr(rest.data(), '\n', rest.size()));
  if (end == nullptr || end == rest.data() || end[-1] != '\r') return false;
  auto length = static_cast<std::size_t>(end - rest.data());
  line = rest.substr(0, length - 1);
  rest.remove_prefix(length + 1);
  return true;
}

// What the fields that frame and steer a message say, collected in one pass.
struct framing_fields {
  int content_lengths = 0, transfer_encodings = 0, hosts = 0;
  std::string_view content_length, transfer_encoding, host, expect;
  bool says_close = false, says_keep_alive = false;
};

bool connection_says(std::string_view value, std::string_view word) {
  while (!value.empty()) {
    auto end = std::min(value.find(','), value.size());
    if (equal_ignoring_case(trim(value.substr(0, end)), word)) return true;
    value.remove_prefix(std::min(end + 1, value.size()));
  }
  return false;
}

void note(const field& f, framing_fields& seen) {
  switch (f.name.size()) {
    case 4:
      if (equal_ignoring_case(f.name, "host")) {
        ++seen.hosts;
        seen.host = f.value;
      }
      break;
    case 6:
      if (equal_ignoring_case(f.name, "expect")) seen.expect = f.value;
      break;
    case 10:
      if (equal_ignoring_case(f.name, "connection")) {
        if (connection_says(f.value, "close")) seen.says_close = true;
        if (connection_says(f.value, "keep-alive")) seen.says_keep_alive = true;
      }
      break;
    case 14:
      if (equal_ignoring_case(f.name, "content-length")) {
        ++seen.content_lengths;
        seen.content_length = f.value;
      }
      break;
    case 17:
      if (equal_ignoring_case(f.name, "transfer-encoding")) {
        ++seen.transfer_encodings;
        seen.transfer_encoding = f.value;
      }
      break;
    default: break;
  }
}

enum class fault { none, malformed, too_many };

std::string_view between(const char* from, const char* to) {
  return {from, static_cast<std::size_t>(to - from)};
}

fault parse_fields(std::string_view rest, std::vector<field>& fields, framing_fields& seen) {
  fields.reserve(usual_fields);
  const char* at = rest.data();
  const char* const end = at + rest.size();
  auto line_ends = [&] { return end - at >= 2 && at[0] == '\r' && at[1] == '\n'; };
  while (!line_ends()) {
    // A line that starts with a blank (obs-fold) and a blank before the colon both fail as a name here.
    const char* const name = at;
    at = pass_name(name, end);
    if (at == name || at == end || *at != ':') return fault::malformed;
    field f{between(name, at), {}};
    const char* const value = ++at;
    at = pass_value(value, end);
    if (!line_ends()) return fault::malformed;
    f.value = trim(between(value, at));
    at += 2;
    if (fields.size() == most_fields) return fault::too_many;
    fields.push_back(f);
    note(f, seen);
  }
  return at + 2 == end ? fault::none : fault::malformed;
}

bool parse_version(std::string_view text, int& minor) {
  if (text.size() != 8 || text.substr(0, 7) != "HTTP/1.") return false;
  if (text[7] != '0' && text[7] != '1') return false;
  minor = text[7] - '0';
  return true;
}

bool looks_like_version(std::string_view text) {
  return text.size() == 8 && text.substr(0, 5) == "HTTP/" && text[6] == '.';
}

tl::unexpected<error> bad(const char* why) { return fail(errc::http_malformed, why); }
tl::unexpected<error> ambiguous(const char* why) { return fail(errc::http_framing_ambiguous, why); }
tl::unexpected<error> bad_answer(const char* why) { return fail(errc::upstream_malformed, why); }

// Room for the longest authorization request, which the authorization endpoint judges itself.
constexpr std::size_t longest_target = 17 * 1024;

// origin-form, "*" for OPTIONS, and the absolute form that a proxy would get (RFC 9112 §3.2).
result<void> parse_target(std::string_view target, request_head& out) {
  if (target.size() > longest_target) return fail(errc::http_head_too_large, "request target");
  if (!all_of(target, target_char)) return bad("request target");
  if (target == "*") {
    if (out.method != "OPTIONS") return bad("target * without OPTIONS");
    out.path = target;
    return {};
  }
  if (target.front() != '/') {
    auto scheme = target.find("://");
    if (scheme == std::string_view::npos) return bad("request target");
    auto name = target.substr(0, scheme);
    if (!equal_ignoring_case(name, "http") && !equal_ignoring_case(name, "https"))
      return bad("request target");
    auto authority = target.substr(scheme + 3);
    auto path = std::min(authority.find_first_of("/?"), authority.size());
    if (!equal_ignoring_case(authority.substr(0, path), out.host)) return bad("target and Host differ");
    target = authority.substr(path);
    if (target.empty() || target.front() != '/') return bad("request target");
  }
  auto question = std::min(target.find('?'), target.size());
  out.path = target.substr(0, question);
  out.query = question < target.size() ? target.substr(question + 1) : std::string_view{};
  return {};
}

}  // namespace

std::optional<std::string_view> request_head::find(std::string_view name) const {
  return lookup(fields, name);
}
std::optional<std::string_view> response_head::find(std::string_view name) const {
  return lookup(fields, name);
}

bool is_token(std::string_view text) { return !text.empty() && all_of(text, tchar); }

std::optional<std::size_t> find_head_end(std::string_view bytes, std::size_t from) {
  // The end may straddle the place where the last search stopped.
  auto at = bytes.find("\r\n\r\n", from > 3 ? from - 3 : 0);
  if (at == std::string_view::npos) return std::nullopt;
  return at + 4;
}

result<void> parse_request_head(std::string_view head, request_head& out) {
  out.fields.clear();
  out.method = out.path = out.query = out.host = {};  // nothing of the last request may be seen in this one
  out.body = framing::none;
  out.length = 0;
  out.expects_continue = false;

  std::string_view line;
  if (!take_line(head, line)) return bad("line end");
  auto first = line.find(' ');
  auto last = line.rfind(' ');
  if (first == std::string_view::npos || last == first) return bad("request line");
  out.method = line.substr(0, first);
  auto target = line.substr(first + 1, last - first - 1);
  auto version = line.substr(last + 1);
  if (!is_token(out.method) || out.method.size() > 32) return bad("method");
  if (target.empty()) return bad("request target");
  if (!parse_version(version, out.minor_version)) {
    if (looks_like_version(version)) return fail(errc::http_version_unsupported);
    return bad("request line");
  }

  framing_fields seen;
  switch (parse_fields(head, out.fields, seen)) {
    case fault::malformed: return bad("header field");
    case fault::too_many: return fail(errc::http_head_too_large, "more than 100 fields");
    case fault::none: break;
  }
  if (seen.hosts > 1 || (seen.hosts == 0 && out.minor_version == 1)) return bad("Host must stand once");
  if (!all_of(seen.host, host_char)) return bad("Host");
  out.host = seen.host;
  if (auto ok = parse_target(target, out); !ok) return ok;

  out.keep_alive = out.minor_version == 1 ? !seen.says_close : seen.says_keep_alive && !seen.says_close;
  if (!seen.expect.empty()) {
    if (!equal_ignoring_case(seen.expect, "100-continue")) return bad("Expect");
    out.expects_continue = out.minor_version == 1;
  }

  if (seen.transfer_encodings > 1 || seen.content_lengths > 1)
    return ambiguous("a framing field stands twice");
  if (seen.transfer_encodings == 1) {
    if (seen.content_lengths == 1) return ambiguous("Content-Length beside Transfer-Encoding");
    if (out.minor_version == 0) return ambiguous("Transfer-Encoding in HTTP/1.0");
    if (!equal_ignoring_case(seen.transfer_encoding, "chunked"))
      return ambiguous("Transfer-Encoding is not chunked");
    out.body = framing::chunked;
  } else if (seen.content_lengths == 1) {
    auto length = parse_decimal(seen.content_length);
    if (!length || *length > longest_body) return ambiguous("Content-Length");
    out.length = *length;
    out.body = *length == 0 ? framing::none : framing::length;
  }
  return {};
}

result<void> parse_response_head(std::string_view head, std::string_view asked, response_head& out) {
  out.fields.clear();
  out.length = 0;

  std::string_view line;
  if (!take_line(head, line)) return bad_answer("line end");
  if (line.size() < 12 || line[8] != ' ' || !parse_version(line.substr(0, 8), out.minor_version)) {
    return bad_answer("status line");
  }
  auto status = parse_decimal(line.substr(9, 3));
  if (!status || *status < 100 || *status > 599 || (line.size() > 12 && line[12] != ' '))
    return bad_answer("status line");
  out.status = static_cast<int>(*status);

  framing_fields seen;
  if (parse_fields(head, out.fields, seen) != fault::none) return bad_answer("header field");
  out.keep_alive = out.minor_version == 1 ? !seen.says_close : seen.says_keep_alive && !seen.says_close;

  if (seen.transfer_encodings > 1 || seen.content_lengths > 1)
    return bad_answer("a framing field stands twice");
  if (seen.transfer_encodings == 1 && seen.content_lengths == 1) return bad_answer("two framings");
  std::uint64_t length = 0;
  if (seen.content_lengths == 1) {
    auto parsed = parse_decimal(seen.content_length);
    if (!parsed || *parsed > longest_body) return bad_answer("Content-Length");
    length = *parsed;
  }
  if (seen.transfer_encodings == 1 &&
      (out.minor_version == 0 || !equal_ignoring_case(seen.transfer_encoding, "chunked"))) {
    return bad_answer("Transfer-Encoding");
  }

  if (asked == "HEAD" || out.status < 200 || out.status == 204 || out.status == 304) {
    out.body = framing::none;
    // A body announced where none may be: what follows cannot be told from the next answer.
    bool announced = seen.transfer_encodings == 1 || length > 0;
    if (announced && asked != "HEAD" && out.status != 304) out.keep_alive = false;
  } else if (seen.transfer_encodings == 1) {
    out.body = framing::chunked;
  } else if (seen.content_lengths == 1) {
    out.length = length;
    out.body = length == 0 ? framing::none : framing::length;
  } else {
    out.body = framing::until_close;
    out.keep_alive = false;
  }
  return {};
}

}  // namespace mcp_oauth::net
