#include "app/same_failure.h"

#include <algorithm>
#include <functional>

namespace mcp_oauth {
namespace {

std::uint64_t mix(std::uint64_t before, std::uint64_t more) {
  return (before ^ more) * 0x9E3779B97F4A7C15ULL + (before >> 29);
}

std::uint64_t mix(std::uint64_t before, std::string_view text) {
  return mix(before, std::hash<std::string_view>()(text));
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "12", "02:40:13", "2026-11-30T02:40:13Z"; not an address, nor anything with letters of its own.
bool is_amount_or_time(std::string_view word) {
  if (word.empty() || !is_digit(word.front())) return false;
  bool plain = std::all_of(word.begin(), word.end(), [](char c) {
    return is_digit(c) || c == '-' || c == ':' || c == '.' || c == 'T' || c == 'Z' || c == '+';
  });
  return plain && std::count(word.begin(), word.end(), '.') < 2 && word.find("::") == std::string_view::npos;
}

// Amounts and times change while the failure stays the same; what a status is says what failed.
std::uint64_t mix_without_amounts(std::uint64_t before, std::string_view text) {
  std::string_view last;
  while (!text.empty()) {
    auto end = std::min(text.find(' '), text.size());
    auto word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    auto from = std::min(word.find_first_not_of("(["), word.size());
    auto bare = word.substr(from);
    bare = bare.substr(0, bare.find_last_not_of(",.;:)]") + 1);
    bool is_status = bare.size() == 3 && (last == "status" || last == "answered" || last == "with");
    before = mix(before, !is_status && is_amount_or_time(bare) ? std::string_view("0") : word);
    last = word;
  }
  return before;
}

}  // namespace

std::uint64_t number_of(const failure_marks& marks) {
  auto number = mix(marks.code + 1, marks.area);
  number = mix(number, static_cast<std::uint64_t>(marks.status) * 2 + (marks.finished ? 1 : 0));
  for (auto text : {marks.client, marks.client_id, marks.subject, marks.issuer, marks.login, marks.action,
                    marks.upstream, marks.provider, marks.grant, marks.method, marks.path, marks.mcp_method,
                    marks.mcp_name, marks.cause_and_fix}) {
    number = mix(number, text);
  }
  for (const auto& scope : marks.scopes) number = mix(number, scope);
  return mix_without_amounts(mix(number, marks.scopes.size()), marks.detail);
}

}  // namespace mcp_oauth
