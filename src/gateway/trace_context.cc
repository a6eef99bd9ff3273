#include "gateway/trace_context.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::size_t version_size = 2, trace_size = 32, span_size = 16, flags_size = 2;
constexpr std::size_t whole_size = version_size + trace_size + span_size + flags_size + 3;

// Upper case is malformed (§3.2.2).
std::optional<std::uint8_t> digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  return std::nullopt;
}

bool read_hex(std::string_view digits, std::span<std::uint8_t> out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    auto high = digit(digits[2 * i]), low = digit(digits[2 * i + 1]);
    if (!high || !low) return false;
    out[i] = static_cast<std::uint8_t>(*high << 4 | *low);
  }
  return true;
}

bool is_zero(std::span<const std::uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](auto b) { return b == 0; });
}

// Random bytes that are not all zero.
void fill(std::span<std::uint8_t> out, const random_fn& random) {
  do {
    auto bytes = random(out.size());
    std::copy(bytes.begin(), bytes.end(), out.begin());
  } while (is_zero(out));
}

constexpr std::uint32_t a_million = 1'000'000;

// Seven random bytes decide: of a trace its last ones, which is where the standard has its randomness.
bool is_in_share(std::span<const std::uint8_t, 7> drawn, std::uint32_t per_million) {
  if (per_million >= a_million) return true;
  std::uint64_t value = 0;
  for (auto byte : drawn) value = value << 8 | byte;
  return value < (std::uint64_t{1} << 56) / a_million * per_million;
}

}  // namespace

std::optional<trace_context> parse_traceparent(std::string_view value) {
  if (value.size() < whole_size) return std::nullopt;
  if (value[2] != '-' || value[35] != '-' || value[52] != '-') return std::nullopt;
  std::array<std::uint8_t, 1> version{}, flags{};
  trace_context context;
  bool read = read_hex(value.substr(0, 2), version) && read_hex(value.substr(3, trace_size), context.trace) &&
              read_hex(value.substr(36, span_size), context.span) && read_hex(value.substr(53, 2), flags);
  if (!read || version[0] == 0xFF) return std::nullopt;
  bool more = value.size() > whole_size;
  if (more && (version[0] == 0 || value[whole_size] != '-')) return std::nullopt;
  if (is_zero(context.trace) || is_zero(context.span)) return std::nullopt;
  context.sampled = (flags[0] & 1) != 0;
  return context;
}

std::string to_hex(std::span<const std::uint8_t> bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (auto b : bytes) {
    out += digits[b >> 4];
    out += digits[b & 15];
  }
  return out;
}

std::string to_traceparent(const trace_context& context) {
  return "00-" + to_hex(context.trace) + "-" + to_hex(context.span) + (context.sampled ? "-01" : "-00");
}

trace_context child_of(const std::optional<trace_context>& parent, trace_sampling how,
                       const random_fn& random) {
  trace_context child;
  if (parent) {
    child.trace = parent->trace;
  } else {
    fill(child.trace, random);
  }
  fill(child.span, random);
  if (!parent) {
    child.sampled = is_in_share(std::span(child.trace).last<7>(), how.per_million);
  } else if (how.believes_parent) {
    child.sampled = parent->sampled;
  } else {
    child.sampled = is_in_share(std::span(child.span).last<7>(), how.per_million);
  }
  return child;
}

trace_context span_below(const trace_context& span, const random_fn& random) {
  trace_context below = span;
  fill(below.span, random);
  return below;
}

std::string passed_tracestate(std::span<const std::string_view> lines) {
  constexpr std::size_t longest = 512;
  std::string list;
  for (auto line : lines) {
    if (line.empty()) continue;
    if (!list.empty()) list += ',';
    list += line;
    if (list.size() > longest) return {};
  }
  bool printable = std::all_of(list.begin(), list.end(), [](char c) { return c >= ' ' && c < 0x7F; });
  return printable && list.find('=') != std::string::npos ? list : std::string();
}

}  // namespace mcp_oauth
