#include "doctor/site_document.h"

#include "base/text.h"
#include "doctor/site_facts.h"
#include "oauth/displayable.h"

#include <boost/json/parse.hpp>

namespace mcp_oauth {
namespace {

constexpr std::size_t most_redirects = 3;
constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF", replacement = "\xEF\xBF\xBD";

// As browsers and Node decode it.
std::string with_valid_utf8(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    std::size_t size = 1;
    while (size < 4 && size < bytes.size() && !is_valid_utf8(bytes.substr(0, size))) ++size;
    bool valid = is_valid_utf8(bytes.substr(0, size));
    text += valid ? bytes.substr(0, size) : replacement;
    bytes.remove_prefix(valid ? size : 1);
  }
  return text;
}

std::optional<json::object> last_of_each_member(std::string_view text) {
  boost::system::error_code failed;
  auto value = json::parse(json::string_view(text.data(), text.size()), failed);
  if (failed || !value.is_object()) return std::nullopt;
  return std::move(value.as_object());
}

// RFC 3986 §5.2.4
std::string without_dots(std::string_view path) {
  std::vector<std::string_view> kept;
  bool folder = false;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    auto segment = path.substr(0, path.find('/'));
    path.remove_prefix(segment.size());
    folder = segment == "." || segment == "..";
    if (segment == ".." && !kept.empty()) kept.pop_back();
    if (!folder) kept.push_back(segment);
  }
  std::string clean;
  for (auto segment : kept) clean += "/" + std::string(segment);
  return folder || clean.empty() ? clean + "/" : clean;
}

void also(std::string& list, const std::string& one) { list += (list.empty() ? "" : ", and ") + one; }

void read_body(const http_answer& answer, site_document& into) {
  std::string_view body = answer.body;
  if (body.starts_with(byte_order_mark)) {
    body.remove_prefix(byte_order_mark.size());
    also(into.lenient, "a byte order mark stands before it");
  }
  std::string mended;
  if (!is_valid_utf8(body)) {
    mended = with_valid_utf8(body);
    body = mended;
    also(into.lenient, "it holds bytes that are not UTF-8");
  }
  auto object = parse_json_object(body);
  if (object) {
    into.object = std::move(*object);
    return;
  }
  into.object = last_of_each_member(body);
  // What only the strict reader refuses.
  if (into.object) also(into.lenient, displayable(object.error().detail));
  if (!into.object)
    into.trouble = told_with_words(answer) + ", not JSON: " + displayable(object.error().detail);
}

void read_answer(const site_exchange& exchange, site_document& into) {
  const auto& answer = exchange.answer;
  if (!answer) {
    into.trouble = answer.error().detail;
    return;
  }
  into.absent = answer->status == 404 || answer->status == 410;
  into.untold = answer->status == 429;
  if (answer->status != 200) {
    into.trouble = told_with_words(*answer);
    return;
  }
  read_body(*answer, into);
  if (exchange.cut.empty()) return;
  // All of it was there, and more came or could have.
  if (into.good()) {
    also(into.lenient, exchange.cut);
    return;
  }
  into.untold = true;
  into.trouble = told_with_words(*answer) + ", " + exchange.cut;
}

}  // namespace

site_document find_document(const site_evidence& evidence, std::string_view what,
                            const std::string& address) {
  site_document one;
  one.address = address;
  one.exchange = evidence.find(what, address);
  if (one.exchange == nullptr) {
    one.trouble = "not asked";
    return one;
  }
  std::vector<std::string> seen = {address};
  while (one.exchange->answered() && leads_on(*one.exchange) && seen.size() <= most_redirects) {
    auto to = redirect_target(*one.exchange);
    if (to.empty() || holds(seen, to)) break;
    const auto* next = evidence.find(asked::moved, to);
    if (next == nullptr) {
      one.next = to;
      break;
    }
    one.exchange = next;
    seen.push_back(to);
  }
  bool goes_on = one.exchange->answered() && leads_on(*one.exchange) && seen.size() > most_redirects;
  if (seen.size() > 1) also(one.lenient, "it is behind a redirect to " + shown_url(one.exchange->call.url));
  read_answer(*one.exchange, one);
  // Clients follow more; we do not.
  one.untold = one.untold || goes_on;
  if (goes_on) one.trouble = "more than three redirects";
  if (!one.good()) one.lenient.clear();
  return one;
}

bool leads_on(const site_exchange& one) {
  return one.status() >= 300 && one.status() < 400 && one.status() != 304;
}

std::string redirect_target(const site_exchange& from) {
  auto location = std::string(trim(from.answer->fields.first("Location")));
  location = location.substr(0, location.find('#'));
  auto base = url::parse(from.call.url);
  if (location.empty() || !base) return "";
  auto absolute = [&] {
    auto colon = location.find(':');
    return colon != std::string::npos && colon < location.find_first_of("/?");
  };
  if (location.starts_with("//")) {
    location = base->scheme + ":" + location;
  } else if (!absolute()) {
    auto query = location.find('?');
    auto path = location.substr(0, query);
    auto rest = query == std::string::npos ? "" : location.substr(query);
    if (path.empty()) path = base->path.empty() ? "/" : base->path;
    if (!path.starts_with('/')) path = base->path.substr(0, base->path.rfind('/') + 1) + path;
    if (!path.starts_with('/')) path = "/" + path;
    location = base->origin() + without_dots(path) + rest;
  }
  auto parsed = url::parse(location);
  return parsed && parsed->is_http() ? location : "";
}

}  // namespace mcp_oauth
