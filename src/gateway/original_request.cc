#include "gateway/original_request.h"

#include "base/form.h"
#include "base/text.h"
#include "base/url.h"
#include "gateway/headers.h"
#include "gateway/route.h"
#include "gateway/verdict.h"

#include <algorithm>
#include <array>
#include <optional>

namespace mcp_oauth {
namespace {

enum class says : std::size_t {
  original_method,
  original_uri,
  original_url,
  forwarded_method,
  forwarded_uri,
  forwarded_host
};
struct known_header {
  std::string_view name, folded;
};
constexpr std::array<known_header, 6> known = {{{"X-Original-Method", "x-original-method"},
                                                {"X-Original-URI", "x-original-uri"},
                                                {"X-Original-URL", "x-original-url"},
                                                {"X-Forwarded-Method", "x-forwarded-method"},
                                                {"X-Forwarded-Uri", "x-forwarded-uri"},
                                                {"X-Forwarded-Host", "x-forwarded-host"}}};

class statements {
 public:
  static result<statements> read(std::span<const field> fields) {
    statements found;
    for (const auto& f : fields) {
      for (std::size_t i = 0; i < known.size(); ++i) {
        if (!may_be_read_as(f.name, known[i].folded)) continue;
        std::string name(known[i].name);
        if (!equal_ignoring_case(f.name, known[i].name))
          return fail(errc::original_request_unclear, name + " is spelled " + std::string(f.name));
        if (found.values_[i]) return fail(errc::original_request_unclear, name + " stands twice");
        found.values_[i] = f.value;
      }
    }
    return found;
  }
  const std::optional<std::string_view>& operator[](says what) const {
    return values_[static_cast<std::size_t>(what)];
  }

 private:
  std::array<std::optional<std::string_view>, known.size()> values_;
};

std::string_view name_of_host(std::string_view host) {
  return host.substr(0, host.starts_with('[') ? host.find(']') + 1 : host.find(':'));
}

// Some proxies leave the port out; where both have one it has to be the same.
bool same_host(std::string_view a, std::string_view b) {
  auto name_a = name_of_host(a), name_b = name_of_host(b);
  bool ports = a.size() > name_a.size() && b.size() > name_b.size();
  return equal_ignoring_case(ports ? a : name_a, ports ? b : name_b);
}
bool same_text(std::string_view a, std::string_view b) { return a == b; }

// One property of the request, out of what several say about it.
class property {
 public:
  property(std::string_view what, bool (*same)(std::string_view, std::string_view))
      : what_(what), same_(same) {}

  result<void> say(std::string_view value, std::string_view by) {
    if (!value_) {
      value_ = value;
      by_ = by;
      return {};
    }
    if (same_(*value_, value)) return {};
    return fail(errc::original_request_unclear, std::string(by) + " contradicts " + std::string(by_) +
                                                    " about the " + std::string(what_) + " of the request");
  }
  std::string_view value() const { return value_.value_or(""); }

 private:
  std::string_view what_;
  bool (*same_)(std::string_view, std::string_view);
  std::optional<std::string_view> value_;
  std::string_view by_;
};

bool is_method(std::string_view text) {
  return !text.empty() && text.size() <= 32 && std::all_of(text.begin(), text.end(), [](char c) {
    auto lower = to_lower(c);
    return (lower >= 'a' && lower <= 'z') || c == '-';
  });
}

bool is_host(std::string_view text) {
  return !text.empty() && text.size() <= 261 && std::all_of(text.begin(), text.end(), [](char c) {
    auto lower = to_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view(".-_:[]").find(c) != std::string_view::npos;
  });
}

bool is_origin_form(std::string_view uri) {
  return uri.starts_with('/') && std::all_of(uri.begin(), uri.end(), [](char c) {
           return static_cast<unsigned char>(c) > 0x20 && c != 0x7F && c != '#' && c != '\\';
         });
}

struct url_parts {
  std::string_view host, uri;
};
// "https://host/path?query", taken apart as it stands.
std::optional<url_parts> parts_of(std::string_view url) {
  for (std::string_view scheme : {"https://", "http://"}) {
    if (!starts_with_ignoring_case(url, scheme)) continue;
    auto rest = url.substr(scheme.size());
    auto slash = rest.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    return url_parts{rest.substr(0, slash), rest.substr(slash)};
  }
  return std::nullopt;
}

bool is_about_a_verdict(std::string_view path) {
  auto decoded = percent_decode(path);
  return is_verify_path(path) || (decoded && is_verify_path(to_lower(*decoded)));
}

result<original_request> checked(std::string_view method, std::string_view host, std::string_view uri) {
  auto refuse = [](std::string_view what, std::string_view value) {
    return fail(errc::original_request_unclear,
                "its " + std::string(what) + " is malformed: " + std::string(value.substr(0, 200)));
  };
  if (!is_method(method)) return refuse("method", method);
  if (!is_host(host)) return refuse("host", host);
  if (!is_origin_form(uri)) return refuse("address", uri);
  original_request meant;
  meant.method = method;
  meant.host = host;
  auto question = std::min(uri.find('?'), uri.size());
  meant.path = uri.substr(0, question);
  meant.query = uri.substr(std::min(question + 1, uri.size()));
  if (!is_plain_path(meant.path))
    return fail(errc::http_not_found, "the original path holds dot segments or encoded separators");
  if (is_about_a_verdict(meant.path))
    return fail(errc::original_request_unclear,
                "it is one to " + std::string(verify_path) + ": the proxy asks about its own question");
  return meant;
}

}  // namespace

bool is_verify_path(std::string_view path) {
  return path.starts_with(verify_path) &&
         (path.size() == verify_path.size() || path[verify_path.size()] == '/');
}

result<original_request> original_request_of(const verify_request& asked) {
  auto read = statements::read(asked.fields);
  if (!read) return tl::unexpected<error>(read.error());
  const auto& said = *read;
  const auto& url = said[says::original_url];
  auto of_url = url ? parts_of(*url) : std::nullopt;
  if (url && !of_url)
    return fail(errc::original_request_unclear, "X-Original-URL is no http address with a path");

  bool appended = asked.path.size() > verify_path.size();
  bool original = said[says::original_method] && (said[says::original_uri] || url);
  bool forwarded = said[says::forwarded_method] && said[says::forwarded_uri] && said[says::forwarded_host];
  if (!appended && !original && !forwarded) {
    return fail(errc::original_request_unclear,
                "the proxy sets neither X-Original-Method and X-Original-URI nor X-Forwarded-Method, "
                "X-Forwarded-Uri and X-Forwarded-Host");
  }

  std::string behind(asked.path.substr(verify_path.size()));
  if (!asked.query.empty()) behind.append("?").append(asked.query);
  property method("method", same_text), address("address", same_text), host("host", same_host);
  result<void> agreed;
  auto say = [&](property& about, const std::optional<std::string_view>& value, std::string_view by) {
    if (value && agreed) agreed = about.say(*value, by);
  };
  if (appended) {
    say(method, asked.method, "the asking request");
    say(address, behind, "the path");
    say(host, asked.host, "Host");
  }
  say(method, said[says::original_method], "X-Original-Method");
  say(address, said[says::original_uri], "X-Original-URI");
  // With this header no other one tells the host, nor its port: those may be the client's.
  if (original && said[says::original_uri]) say(host, asked.host, "Host");
  if (of_url) {
    say(address, of_url->uri, "X-Original-URL");
    say(host, of_url->host, "X-Original-URL");
  }
  say(method, said[says::forwarded_method], "X-Forwarded-Method");
  say(address, said[says::forwarded_uri], "X-Forwarded-Uri");
  say(host, said[says::forwarded_host], "X-Forwarded-Host");
  if (!agreed) return tl::unexpected<error>(agreed.error());
  return checked(method.value(), host.value(), address.value());
}

result<verify_options> verify_options_of(const verify_request& asked) {
  verify_options options;
  if (asked.path != verify_path || asked.query.empty()) return options;
  auto refuse = [](const std::string& why) {
    return fail(errc::original_request_unclear, "the address that the proxy asks at: " + why);
  };
  auto given = form::parse(asked.query);
  if (!given) return refuse("its query is malformed");
  for (const auto& [name, value] : *given) {
    if (given->repeated(name)) return refuse(name + " stands twice");
    if (name == "upstream" && !value.empty()) {
      options.upstream = value;
    } else if (name == "resource" && !value.empty()) {
      options.resource = value;
    } else if (name == "for" && value == "nginx") {
      options.for_nginx = true;
    } else {
      return refuse("there is no option " + name + "=" + value);
    }
  }
  if (!options.upstream.empty() && !options.resource.empty())
    return refuse("upstream and resource are given, one says it all");
  return options;
}

const field* find_claimed_identity(std::span<const field> fields, std::span<const std::string> also_answered,
                                   std::span<const std::string> forward_headers) {
  auto replaced = [&](std::string_view name) {
    auto same = [&](std::string_view answered) { return equal_ignoring_case(name, answered); };
    return std::any_of(verdict_headers.begin(), verdict_headers.end(), same) ||
           std::any_of(also_answered.begin(), also_answered.end(), same);
  };
  auto found = std::find_if(fields.begin(), fields.end(), [&](const field& f) {
    return names_a_person(f.name) && !replaced(f.name) && !is_handed_on(f.name, forward_headers);
  });
  return found == fields.end() ? nullptr : &*found;
}

}  // namespace mcp_oauth
