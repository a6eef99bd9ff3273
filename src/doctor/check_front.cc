// HTTP, and what may stand before the server.

#include "base/text.h"
#include "doctor/site_check.h"
#include "oauth/displayable.h"
#include "oauth/near_miss.h"

#include <algorithm>
#include <array>

namespace mcp_oauth::checks {
namespace {

std::string where_of(const site_exchange& one) { return one.call.method + " " + shown_url(one.call.url); }

bool answered(const site_facts& facts) { return facts.entry != nullptr && facts.entry->answered(); }

// Who stands in front, by a field of its own: a name that people know; "" for nobody.
struct front {
  std::string_view field, holds, name;
  bool answers = true;  // false: the field is also on what it passes on
};

front known_front(const http_answer& answer) {
  constexpr auto rows = std::to_array<front>({{"cf-mitigated", "", "Cloudflare", true},
                                              {"X-Amzn-Waf-Action", "", "AWS WAF", true},
                                              {"X-Vercel-Mitigated", "", "Vercel", true},
                                              {"Server", "AkamaiGHost", "Akamai", true},
                                              {"Server", "awselb", "an AWS load balancer", true},
                                              {"CF-RAY", "", "Cloudflare", false},
                                              {"Server", "cloudflare", "Cloudflare", false},
                                              {"X-Sucuri-ID", "", "Sucuri", false},
                                              {"X-Iinfo", "", "Imperva", false},
                                              {"X-Azure-Ref", "", "Azure Front Door", false}});
  for (const auto& one : rows) {
    auto value = to_lower(answer.fields.first(one.field));
    if (!value.empty() && value.find(to_lower(one.holds)) != std::string::npos) return one;
  }
  return {"", "", "", false};
}

bool is_page(const http_answer& answer) {
  return looks_like_a_page(answer.body) ||
         (starts_with_ignoring_case(answer.fields.first("Content-Type"), "text/html") &&
          !json_rpc_in(answer));
}

// WWW-Authenticate of a scheme that is none of MCP: a proxy with passwords.
bool asks_for_password(const site_facts& facts) {
  return !facts.challenges.empty() &&
         std::none_of(facts.challenges.begin(), facts.challenges.end(),
                      [](const challenge& one) {
                        return equal_ignoring_case(one.scheme, "Bearer") ||
                               equal_ignoring_case(one.scheme, "DPoP");
                      }) &&
         std::any_of(facts.challenges.begin(), facts.challenges.end(), [](const challenge& one) {
           return equal_ignoring_case(one.scheme, "Basic") || equal_ignoring_case(one.scheme, "Negotiate") ||
                  equal_ignoring_case(one.scheme, "NTLM") || equal_ignoring_case(one.scheme, "Digest");
         });
}

bool refuses_host(const http_answer& answer) {
  auto words = to_lower(std::string_view(answer.body).substr(0, 2000));
  return answer.status == 421 || ((answer.status == 403 || answer.status == 400) &&
                                  (words.find("invalid host") != std::string::npos ||
                                   words.find("host not allowed") != std::string::npos));
}

std::string with_front(const http_answer& answer) {
  auto who = known_front(answer);
  auto told = told_with_words(answer);
  if (who.name.empty()) return told;
  return told + (who.answers ? "; it is " + std::string(who.name) + " that answers"
                             : "; it comes through " + std::string(who.name));
}

}  // namespace

void answers_at_all(const site_facts& facts, site_findings& into) {
  if (facts.entry == nullptr) return;
  const auto& answer = facts.entry->answer;
  if (answer) {
    into.ok("The server answers HTTP", "status " + std::to_string(answer->status), where_of(*facts.entry));
    return;
  }
  const auto& target = facts.evidence.target;
  const auto* place = facts.evidence.place(target.host, target.effective_port());
  bool connected = place != nullptr && !place->connected_to.empty();
  // Said by the checks before: no connection, or no TLS that holds.
  if (!connected || (place->tls_tried && !place->trusted)) return;
  auto words = displayable(answer.error().detail);
  const auto* secure = facts.evidence.secure_place(target.host, target.effective_port());
  bool speaks_tls = words.find("https://") != std::string::npos || (secure != nullptr && secure->tls_done);
  if (target.scheme == "http" && speaks_tls) return;
  if (answer.error().code == errc::fetch_timeout) {
    auto& one =
        into.failure(errc::front_unavailable, words, "an answer within ten seconds", where_of(*facts.entry));
    one.certain = false;
    one.cause =
        "The connection is taken and nothing answers: a proxy whose server is away, or a server that hangs.";
    one.verify = post_command(facts.entry->call.url);
    return;
  }
  auto& one = into.failure(errc::connection_failed, words, "an HTTP answer", where_of(*facts.entry));
  one.certain = false;
  if (facts.evidence.by_proxy) {
    one.cause =
        "The environment names a proxy for it, which is away, refuses, or does not reach the server; without "
        "it the address takes connections.";
  }
  one.verify = post_command(facts.entry->call.url);
}

void no_redirects(const site_facts& facts, site_findings& into) {
  if (facts.redirects.empty()) return;
  const auto& from = *facts.redirects.front();
  auto to = redirect_target(from);
  auto seen = "status " + std::to_string(from.status()) + " to " + (to.empty() ? "nowhere" : shown_url(to));
  if (facts.redirects_loop) {
    auto& one = into.failure(errc::redirect_loop, seen + ", and round again", "an answer", where_of(from));
    one.verify = "curl -sIL --max-redirs 5 " + shell_url(from.call.url);
    return;
  }
  if (facts.redirects_go_on()) {
    auto& one = into.failure(errc::redirect_loop,
                             seen + ", and on, " + std::to_string(facts.redirects.size()) + " times",
                             "an answer", where_of(from));
    one.title = "The server redirects again and again";
    one.cause = "Each address leads to another one; clients give up, most of them at the first.";
    one.certain = false;
    one.verify = "curl -sIL --max-redirs 20 " + shell_url(from.call.url);
    return;
  }
  auto target = url::parse(to);
  bool same_origin = target && target->origin() == facts.evidence.target.origin();
  bool keeps_method = from.status() == 307 || from.status() == 308;
  bool arrives = facts.asks_for_token() || (facts.entry->answered() && json_rpc_in(*facts.entry->answer));
  // A page of a sign-in is what stands in front, not another address of the server.
  if (!arrives && !same_origin && facts.entry != facts.redirects.back() && facts.entry->answered() &&
      is_page(*facts.entry->answer)) {
    auto& one = into.failure(errc::front_refuses, seen + ": " + told_with_words(*facts.entry->answer),
                             "401 of the MCP server", where_of(from));
    one.cause =
        "What stands in front, or the server itself, sends who has no session of its own to a sign-in page.";
    one.certain = false;
    one.verify = post_command(from.call.url);
    return;
  }
  auto& one =
      into.add(same_origin && keeps_method ? severity::warning : severity::failure, errc::server_redirects,
               seen, "an answer at the address that clients are given", where_of(from));
  if (arrives && !to.empty()) one.fix = "Give clients " + shown_url(to) + ", or let the server answer here.";
  if (target && target->scheme == "http" && facts.evidence.target.scheme == "https") {
    one.cause =
        "The server makes the address of its redirect with http: it does not know that TLS ends before it.";
    one.fix =
        "Let the proxy say X-Forwarded-Proto: https, and the server trust it (trusted_proxies), and give "
        "clients the address without a redirect.";
  }
  one.verify = "curl -si -X POST " + shell_url(from.call.url) + " | head -5";
}

void no_front(const site_facts& facts, site_findings& into) {
  if (!answered(facts) || !facts.redirects.empty()) return;
  const auto& answer = *facts.entry->answer;
  auto place = where_of(*facts.entry);
  auto verify = post_command(facts.entry->call.url);
  int status = answer.status;
  auto who = known_front(answer);
  auto add = [&](severity level, errc code, bool certain) -> doctor_finding& {
    auto& one = into.add(level, code, with_front(answer), "401 of the MCP server, with a challenge", place);
    one.certain = certain;
    one.verify = verify;
    return one;
  };
  if (status == 429) {
    auto& one = add(severity::unknown, errc::front_throttles, false);
    one.decides = true;
    return;
  }
  if (asks_for_password(facts)) {
    auto& one = add(severity::failure, errc::front_refuses, false);
    one.seen = "status " + std::to_string(status) +
               ", WWW-Authenticate: " + displayable(facts.challenges.front().scheme);
    one.cause = "A proxy in front, or the server itself, asks for a password, which no MCP client has.";
    return;
  }
  if (refuses_host(answer)) {
    add(severity::failure, errc::host_refused, status != 421).expected =
        "the Host " + facts.evidence.target.authority();
    return;
  }
  bool gateway_error = status == 502 || status == 503 || status == 504 || (status >= 520 && status <= 530);
  if (gateway_error) {
    // A firewall's challenge comes as 503, too, and so does the page of a server under maintenance.
    bool refused = is_page(answer) && status == 503 && !who.name.empty();
    add(severity::failure, refused ? errc::front_refuses : errc::front_unavailable,
        !refused && is_page(answer) && status != 503);
    return;
  }
  if (status == 501) {
    add(severity::failure, errc::not_an_mcp_server, false).cause =
        "It takes no POST at all (501), as servers of files do; every request of MCP is one.";
    return;
  }
  if (status >= 500) {
    add(severity::failure, errc::server_fails, true);
    return;
  }
  if ((status == 403 || status == 401 || status == 406 || status == 400) && is_page(answer) &&
      facts.challenges.empty()) {
    add(severity::failure, errc::front_refuses, status == 403 && who.answers);
    return;
  }
  if (status >= 200 && status < 300 && is_page(answer)) {
    add(severity::failure, errc::front_page, true);
    return;
  }
  into.ok("Nothing stands between", told_of_answer(answer), place);
}

namespace {

bool opens_stream(const site_exchange* get) {
  return get != nullptr && get->status() == 200 &&
         starts_with_ignoring_case(get->answer->fields.first("Content-Type"), "text/event-stream");
}

// A server of 2024 whose stream is behind its check of tokens.
bool guards_stream(const site_exchange* get) {
  return get != nullptr && get->status() == 401 && get->answer->fields.count("WWW-Authenticate") != 0;
}

// What an answer elsewhere says of an MCP server there.
enum class sign_of_mcp { none, likely, sure };

// A 401 asks for a token of MCP by the scheme, and for certain by the metadata that it names: passwords and
// tokens of others are asked for, too.
sign_of_mcp sign_in(const http_answer& answer) {
  if (answer.status == 200 && json_rpc_in(answer)) return sign_of_mcp::sure;
  if (answer.status != 401) return sign_of_mcp::none;
  auto found = sign_of_mcp::none;
  for (const auto& [name, value] : answer.fields) {
    if (!equal_ignoring_case(name, "WWW-Authenticate")) continue;
    for (const auto& one : parse_challenges(value)) {
      if (!equal_ignoring_case(one.scheme, "Bearer") && !equal_ignoring_case(one.scheme, "DPoP")) continue;
      if (one.find("resource_metadata")) return sign_of_mcp::sure;
      found = sign_of_mcp::likely;
    }
  }
  return found;
}

}  // namespace

void path_is_right(const site_facts& facts, site_findings& into) {
  if (!answered(facts)) return;
  const auto& answer = *facts.entry->answer;
  if (answer.status != 404 && answer.status != 405) return;
  auto place = where_of(*facts.entry);
  const auto* get = facts.evidence.find(asked::get, facts.entry->call.url);
  if (opens_stream(get) || (answer.status == 405 && guards_stream(get))) {
    bool names_endpoint = get->answer->body.find("event: endpoint") != std::string::npos ||
                          get->answer->body.find("event:endpoint") != std::string::npos;
    auto& one = into.warning(errc::transport_outdated,
                             "POST is answered with " + std::to_string(answer.status) +
                                 (opens_stream(get) ? ", GET opens an event stream" : ", GET wants a token") +
                                 (names_endpoint ? " that names an endpoint" : ""),
                             "an answer to POST", place);
    one.certain = names_endpoint;
    one.verify = "curl -siN -H 'Accept: text/event-stream' " + shell_url(facts.entry->call.url);
    return;
  }
  std::string better;
  auto sign = sign_of_mcp::none;
  for (const auto& address : other_paths(facts.evidence.target)) {
    const auto* other = facts.evidence.find(asked::other_path, address);
    if (other == nullptr || !other->answered()) continue;
    auto here = sign_in(*other->answer);
    if (here <= sign) continue;
    sign = here;
    better = address;
  }
  auto& one = into.failure(errc::path_unknown, told_with_words(answer), "401 of the MCP server", place);
  // Whoever does not know the Host says 404 as well, and so does a server that hides from strangers.
  one.certain = answer.status == 404 && sign == sign_of_mcp::sure;
  if (one.certain) {
    one.fix = "The MCP server answers at " + shown_url(better) + ": use that address.";
  } else if (sign == sign_of_mcp::sure) {
    one.fix = "An MCP server answers at " + shown_url(better) + ": use that address, if it is the one.";
  } else if (sign == sign_of_mcp::likely) {
    one.fix = "What answers at " + shown_url(better) +
              " asks for a token, as an MCP server does: use that address, if it is the one.";
  }
  one.verify = post_command(better.empty() ? facts.entry->call.url : better);
}

}  // namespace mcp_oauth::checks
