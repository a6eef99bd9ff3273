#include "doctor/explain_token.h"

#include "base/text.h"
#include "doctor/shown_claims.h"
#include "doctor/token_access.h"
#include "doctor/token_form.h"
#include "oauth/examine.h"
#include "oauth/foreign_claims.h"
#include "oauth/near_miss.h"
#include "symptom/catalogue.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

namespace mcp_oauth {
namespace {

constexpr std::array check_names = {"form",     "type",  "signature", "issuer", "kind",
                                    "audience", "times", "claims",    "binding"};

std::string name_of_check(token_check what) { return check_names[static_cast<std::size_t>(what)]; }

std::string in_quotes(const std::string& text) { return "'" + text + "'"; }

token_examination examine(std::string_view token, const token_authority& by, time_point now) {
  if (const auto* ours = std::get_if<token_rules>(&by.rules))
    return examine_access_token(token, by.keys.get(), *ours, now);
  return examine_issuer_token(token, by.keys.get(), std::get<issuer_rules>(by.rules), now);
}

std::string issuer_of(const token_authority& by) {
  if (const auto* ours = std::get_if<token_rules>(&by.rules)) return ours->issuer;
  return std::get<issuer_rules>(by.rules).issuer;
}

std::vector<std::string> audiences_of(const token_authority& by) {
  if (const auto* ours = std::get_if<token_rules>(&by.rules)) return {ours->audience};
  return std::get<issuer_rules>(by.rules).audiences;
}

seconds leeway_of(const token_authority& by) {
  if (const auto* ours = std::get_if<token_rules>(&by.rules)) return ours->leeway;
  return std::get<issuer_rules>(by.rules).leeway;
}

bool is_issuer_of(const token_authority& by, const std::string& issuer) {
  if (by.is_ours()) return issuer == issuer_of(by);
  return is_issuer_of_rules(std::get<issuer_rules>(by.rules), issuer);
}

bool signs_by_hmac(const token_authority& by) {
  const auto* theirs = std::get_if<issuer_rules>(&by.rules);
  return theirs != nullptr && !theirs->algorithms.empty() &&
         to_name(theirs->algorithms.front()).starts_with("HS");
}

result<void> said_of(const token_examination& all, token_check what) {
  for (const auto& f : all.findings) {
    if (f.what == what) return f.said.value_or(fail(errc::internal));
  }
  return fail(errc::internal);
}

// Keeps the words of strangers from moving a cursor or hiding what stands beside them.
void clean(explained_check& check) {
  for (auto* text : {&check.seen, &check.expected, &check.why}) *text = shown_text(*text);
}

class walk {
 public:
  walk(std::string_view given, const token_question& about, time_point now)
      : about_(about), now_(now), given_(unwrap_token(given)) {}

  token_explanation run() {
    told_.server = about_.server;
    told_.resource = about_.resource;
    told_.at = now_;
    told_.notes = about_.notes;
    by_ = &about_.authorities[authority_of(given_.text, about_.authorities, now_)];
    told_.authority = by_->name;
    seen_ = examine(given_.text, *by_, now_);
    if (auto header = shown_header(given_.text)) told_.header = std::move(*header);
    if (seen_.unverified) show_claims(*seen_.unverified, told_.claims, told_.claims_not_shown);
    opaque_ = shape_of(given_.text) == token_shape::opaque && given_.text.find('.') == std::string::npos;

    add_checks();
    leave_to_the_server();
    add_introspection();
    add_revocation();
    add_scopes();
    conclude();
    for (auto& check : told_.checks) clean(check);
    for (auto& note : told_.notes) note = shown_text(note);
    return std::move(told_);
  }

 private:
  std::string claim(std::string_view name) const {
    const auto* value = seen_.unverified ? find_claim(*seen_.unverified, name) : nullptr;
    if (value == nullptr) return {};
    if (value->is_string()) return {value->get_string().data(), value->get_string().size()};
    return json::serialize(*value);
  }

  std::vector<std::string> audience() const {
    const auto* value = seen_.unverified ? find_claim(*seen_.unverified, "aud") : nullptr;
    std::vector<std::string> all;
    auto add = [&](const json::value& one) {
      if (one.is_string()) all.emplace_back(one.get_string().data(), one.get_string().size());
    };
    if (value != nullptr && value->is_array()) {
      for (const auto& one : value->get_array()) add(one);
    } else if (value != nullptr) {
      add(*value);
    }
    return all;
  }

  void add_checks() {
    // A guard chooses the issuer before it looks at anything else.
    auto& all = seen_.findings;
    auto issuer =
        std::find_if(all.begin(), all.end(), [](const auto& f) { return f.what == token_check::issuer; });
    if (!by_->is_ours() && issuer != all.end()) std::rotate(all.begin() + 1, issuer, issuer + 1);
    for (const auto& f : seen_.findings) {
      explained_check check;
      check.name = name_of_check(f.what);
      if (!f.said) {
        check.verdict = finding::not_asked;
      } else if (!*f.said) {
        check.verdict = finding::fails;
        check.code = f.said->error().code;
        check.why = f.said->error().detail;
      }
      describe(f.what, check);
      told_.checks.push_back(std::move(check));
    }
  }

  void describe(token_check what, explained_check& check) {
    switch (what) {
      case token_check::form: return describe_form(check);
      case token_check::type: return describe_type(check);
      case token_check::signature: return describe_signature(check);
      case token_check::issuer: return describe_issuer(check);
      case token_check::kind: return describe_kind(check);
      case token_check::audience: return describe_audience(check);
      case token_check::times: return describe_times(check);
      case token_check::claims: return describe_claims(check);
      case token_check::binding: return describe_binding(check);
    }
  }

  void describe_form(explained_check& check) {
    auto size = std::to_string(given_.text.size()) + " characters";
    check.seen = seen_.unverified ? "a JWT of " + size : size;
    check.expected = by_->takes_opaque ? "a JWT, or a string that the issuer knows" : "a JWT";
    if (check.verdict == finding::fails) {
      auto cut = how_it_is_cut(given_.text);
      if (!cut.empty()) check.why = cut;
      if (opaque_ && !about_.known_as.empty()) check.why = "it is " + about_.known_as;
      if (opaque_ && about_.known_as.empty() && looks_like_our_refresh_token(given_.text)) {
        bool searched = by_->is_ours() && by_->keys != nullptr;
        check.why += std::string(check.why.empty() ? "" : "; ") +
                     "it has the form of a refresh token or code of mcp-oauth-proxy" +
                     (searched ? ", and this gateway knows none like it: revoked, ended, or another's" : "") +
                     ". What opens a server is the access_token that comes beside it";
      }
      if (opaque_ && by_->takes_opaque && about_.known_as.empty()) {
        check = {"form", finding::ok, "an opaque string of " + size, check.expected};
      }
    }
    if (given_.wrapped.empty()) return;
    check.why = "there is more than the token: " + given_.wrapped +
                "; a client that sends it like this is refused. What follows is of the token inside" +
                (check.verdict == finding::fails ? ": " + check.why : "");
    check.verdict = finding::fails;
    check.code = errc::token_malformed;
  }

  void describe_type(explained_check& check) {
    if (check.verdict == finding::not_asked) return;
    auto typ = text_member(told_.header, "typ");
    check.seen = typ.empty() ? "no typ" : "typ " + typ;
    const auto* theirs = std::get_if<issuer_rules>(&by_->rules);
    bool any = theirs != nullptr && theirs->type == token_type_rule::access_token;
    check.expected = any ? "typ at+jwt, JWT or none" : "typ at+jwt";
    if (check.verdict != finding::fails) return;
    if (!by_->is_ours()) {
      check.why = "the issuer does not follow RFC 9068, or this is no access token";
      return;
    }
    auto whose = whose_else_it_is();
    check.why = whose.empty() ? "every access token of this gateway has it" : whose;
  }

  void describe_signature(explained_check& check) {
    auto alg = text_member(told_.header, "alg"), kid = text_member(told_.header, "kid");
    if (!alg.empty()) check.seen = alg + (kid.empty() ? ", no kid" : ", kid " + kid);
    if (by_->keys != nullptr) check.expected = "one of the keys of " + by_->name + ": " + known_keys();
    if (check.verdict == finding::not_asked && by_->keys == nullptr && !told_.header.empty()) {
      check.why = "the keys of " + by_->name + " are not known";
      if (by_->keys_missing) {
        check.verdict = finding::cannot_be_told;
        check.code = by_->keys_missing->code;
        check.why += ": " + by_->keys_missing->detail;
      } else {
        check.why += ", as it is asked about tokens";
      }
    }
    if (check.verdict != finding::fails) return;
    auto cut = how_it_is_cut(given_.text);
    if (!cut.empty()) {
      check.why = cut;
    } else if (check.code == errc::token_key_unknown && by_->is_ours()) {
      auto whose = whose_else_it_is();
      if (whose.empty() && is_of_a_gateway())
        whose = "it is a token of a gateway under this very address with another database";
      if (!whose.empty()) check.why += "; " + whose;
    }
  }

  std::string known_keys() const {
    std::vector<std::string> ids;
    for (const auto& key : *by_->keys) {
      if (ids.size() < 8 && !key.kid().empty()) ids.push_back(key.kid());
    }
    auto others = by_->keys->size() - ids.size();
    if (ids.empty()) return std::to_string(others) + " without a kid";
    return join(ids, ", ") + (others == 0 ? "" : " and " + std::to_string(others) + " more");
  }

  // Only what this program mints has all of these.
  bool is_of_a_gateway() const {
    return seen_.unverified && seen_.unverified->contains("gid") && seen_.unverified->contains("jti") &&
           equal_ignoring_case(text_member(told_.header, "typ"), "at+jwt");
  }

  // By its `iss`; "" where that is ours, or nearly.
  std::string whose_else_it_is() const {
    auto issuer = claim("iss");
    if (issuer.empty() || is_issuer_of(*by_, issuer)) return {};
    for (const auto& [name, at] : about_.sign_in_at) {
      if (issuer == at)
        return "it is a token of " + name +
               ", where people sign in: a client has to send the one that this " + "gateway gives it";
    }
    if (is_of_a_gateway())
      return "it is a token of another deployment of mcp-oauth-proxy, " + issuer + ": sign in here";
    return "another authorization server gave it, " + issuer;
  }

  void describe_issuer(explained_check& check) {
    if (check.verdict == finding::not_asked) return;
    auto issuer = claim("iss");
    std::vector<std::string> expected;
    for (const auto& one : about_.authorities) {
      if (!holds(expected, issuer_of(one))) expected.push_back(issuer_of(one));
    }
    check.seen = issuer.empty() ? "no iss" : issuer;
    check.expected = join(expected, " or ");
    if (check.verdict != finding::fails || issuer.empty()) return;
    if (check.code != errc::token_issuer_mismatch) return;
    auto words = how_issuers_differ(issuer, issuer_of(*by_));
    if (words.empty()) words = whose_else_it_is();
    if (!words.empty()) check.why = words;
  }

  void describe_kind(explained_check& check) {
    if (check.verdict == finding::ok) check.seen = "nothing speaks against an access token";
    if (check.verdict == finding::fails) check.seen = std::exchange(check.why, "");
    check.expected = "an access token";
  }

  void describe_audience(explained_check& check) {
    if (check.verdict == finding::not_asked) return;
    auto all = audience();
    const auto* theirs = std::get_if<issuer_rules>(&by_->rules);
    check.seen = all.empty() ? "no aud" : join(all, ", ");
    check.expected = theirs != nullptr && theirs->danger_any_audience ? "any (danger_any_audience)"
                                                                      : join(audiences_of(*by_), " or ");
    if (check.code != errc::token_audience_mismatch) return;
    auto client = claim("client_id").empty() ? claim("azp") : claim("client_id");
    auto words = how_audiences_differ(all, client, audiences_of(*by_));
    check.why = words.empty()
                    ? "it is for another server: the client has to ask with resource set to the accepted URL"
                    : words;
  }

  std::string moment(std::string_view name) const {
    std::int64_t at = 0;
    if (!seen_.unverified || read(*seen_.unverified, name, at) != member::present) return {};
    constexpr std::int64_t year_9999 = 253402300799;
    if (at < 0 || at > year_9999) return std::string(name) + " " + std::to_string(at);
    // Seconds do: a token has no others.
    auto text = at > to_unix(time_point::max()) ? std::to_string(at) : to_iso8601(from_unix(at));
    if (auto dot = text.find('.'); dot != std::string::npos) text = text.substr(0, dot) + "Z";
    return std::string(name) + " " + text + " (" + how_long(at) + ")";
  }

  // From now. The clock's nanoseconds end in 2262.
  std::string how_long(std::int64_t at) const {
    if (at > to_unix(time_point::max())) return "after the year 2262";
    return how_long_from(from_unix(to_unix(now_)), from_unix(at));
  }

  void describe_times(explained_check& check) {
    if (check.verdict == finding::not_asked) return;
    for (auto name : {"exp", "nbf", "iat"}) {
      auto text = moment(name);
      if (!text.empty()) check.seen += (check.seen.empty() ? "" : ", ") + text;
    }
    if (check.seen.empty()) check.seen = "no exp";
    auto leeway = leeway_of(*by_);
    check.expected = "exp ahead, nbf passed, within " + std::to_string(leeway.count()) + " s of leeway";
    describe_clocks(check, leeway);
    std::int64_t issued = 0;
    bool has_issued = read(*seen_.unverified, "iat", issued) == member::present;
    if (!has_issued || issued <= to_unix(now_) + leeway.count()) return;
    auto when = how_long(issued);
    check.why += std::string(check.why.empty() ? "" : "; ") + "it was issued only " + when +
                 " by its iat, which the server does not look at";
    told_.notes.push_back("At the time that was asked for there was no such token yet: it was issued " +
                          when + " (iat).");
  }

  void describe_clocks(explained_check& check, seconds leeway) {
    std::int64_t expires = 0;
    bool has_end = read(*seen_.unverified, "exp", expires) == member::present;
    auto left = expires - to_unix(now_);
    if (check.verdict == finding::ok && has_end && left <= 0) {
      check.why = "it has ended already, and is good for " + std::to_string(left + leeway.count()) +
                  " s more by the leeway";
    }
    constexpr seconds noticeable{5};
    if (!by_->clock_ahead || (*by_->clock_ahead < noticeable && *by_->clock_ahead > -noticeable)) return;
    auto apart = *by_->clock_ahead;
    auto words = "the clock of " + by_->name + " is " + std::to_string(std::abs(apart.count())) + " s " +
                 (apart.count() > 0 ? "ahead of" : "behind") + " this machine's";
    bool times_differ = said_of(examine(given_.text, *by_, now_ + apart), token_check::times).has_value() !=
                        (check.verdict == finding::ok);
    if (check.verdict == finding::fails && times_differ) {
      words += ", and by that clock the token is good now: set both by NTP";
    } else if (times_differ) {
      words += ", and by that clock the token is not good now: set both by NTP";
    }
    check.why += (check.why.empty() ? "" : "; ") + words;
  }

  void describe_claims(explained_check& check) {
    if (check.verdict == finding::not_asked) return;
    check.seen = check.verdict == finding::ok ? "sub " + claim("sub") : std::exchange(check.why, "");
    if (by_->is_ours()) {
      check.expected = "sub, client_id, jti and iat";
      return;
    }
    const auto& rules = std::get<issuer_rules>(by_->rules);
    std::vector<std::string> wanted;
    wanted.push_back(join(rules.claims.subject, " or "));
    for (const auto& one : rules.required)
      wanted.push_back(one.name + (one.any_of.empty() ? "" : " = " + join(one.any_of, " or ")));
    check.expected = join(wanted, ", ");
  }

  void describe_binding(explained_check& check) {
    if (check.verdict == finding::not_asked) return;
    auto key = claim("cnf.jkt"), certificate = claim("cnf.x5t#S256");
    check.expected = "no binding, or one to a key or certificate that the client shows";
    if (check.verdict == finding::fails) {
      check.seen = std::exchange(check.why, "");
      return;
    }
    check.seen = key.empty() && certificate.empty() ? "not bound" : "bound to a ";
    if (!key.empty()) check.seen += "key (cnf.jkt)";
    if (!certificate.empty())
      check.seen += (key.empty() ? "" : " and a ") + std::string("certificate (cnf.x5t#S256)");
    if (key.empty() && certificate.empty()) return;
    check.verdict = finding::cannot_be_told;
    check.code = key.empty() ? errc::token_certificate_missing : errc::token_binding_missing;
    check.why = "only who holds the private half can show that; without it the token opens nothing";
    if (key.empty() || about_.binding_is_proved) return;
    check.verdict = finding::fails;
    check.code = errc::token_binding_missing;
    check.why = "bound tokens are not taken here (dpop: off)";
  }

  // A check that the server does not make, or whose question it asks of somebody else, refuses nothing.
  void leave_to_the_server() {
    bool is_good = about_.judged && *about_.judged;
    for (auto& check : told_.checks) {
      bool asked_elsewhere = by_->by_introspection_alone &&
                             (check.name == "type" || check.name == "signature" || check.name == "claims");
      bool bad = check.verdict == finding::fails || check.verdict == finding::cannot_be_told;
      bool stands = check.name == "binding" || (check.name == "form" && !given_.wrapped.empty());
      if (!bad || stands || (!is_good && !asked_elsewhere)) continue;
      check.verdict = finding::not_asked;
      check.code.reset();
      check.why = "the answer of " + by_->name + " counts in its place; by itself: " + check.why;
    }
  }

  void add_introspection() {
    if (!by_->introspected && !(opaque_ && by_->takes_opaque)) return;
    if (told_.checks.front().verdict == finding::fails && opaque_) return;
    explained_check check;
    check.name = "introspection";
    check.expected = "active, in the words of " + by_->name;
    if (!about_.judged) {
      check.verdict = finding::not_asked;
      check.why = "it would send the token to " + by_->name + ": --introspect asks";
    } else if (*about_.judged) {
      check.seen = "active";
    } else if (!is_told_of(about_.judged->error().code)) {
      const auto& why = about_.judged->error();
      bool away = explain(why.code).status == 503;
      check.verdict = away ? finding::cannot_be_told : finding::fails;
      check.code = why.code;
      check.why = why.detail;
      check.seen = std::string(explain(why.code).description);
    } else {
      check.verdict = finding::not_asked;
      check.why = "a check before it fails";
    }
    told_.checks.push_back(std::move(check));
  }

  bool is_told_of(errc code) const {
    return std::any_of(told_.checks.begin(), told_.checks.end(),
                       [&](const auto& c) { return c.code == code && c.verdict != finding::ok; });
  }

  void add_revocation() {
    if (!about_.revoked) return;
    explained_check check;
    check.name = "revocation";
    check.expected = "a grant that lasts";
    if (!*about_.revoked) {
      check.verdict = finding::cannot_be_told;
      check.code = about_.revoked->error().code;
      check.why = about_.revoked->error().detail;
    } else if (**about_.revoked) {
      check.verdict = finding::fails;
      check.code = errc::token_revoked;
      check.seen = "grant " + claim("gid") + " was revoked";
      check.why = "somebody signed out, the client revoked it, or a refresh token or code was used twice";
    } else if (!about_.grant_is_known) {
      check.verdict = finding::not_asked;
      check.seen = "grant " + claim("gid") + ", which this gateway does not know";
      check.why = "nothing was revoked under that name, and nothing was granted";
    } else {
      check.seen = "grant " + claim("gid") + " lasts";
    }
    told_.checks.push_back(std::move(check));
  }

  // By what was verified, and otherwise by what the token claims.
  void add_scopes() {
    if (!about_.judged && !seen_.unverified) return;
    access_claims claims;
    json::object all;
    if (about_.judged && *about_.judged) {
      claims = (**about_.judged).claims();
      if (const auto& details = (**about_.judged).details()) all = details->claims;
    } else if (seen_.unverified) {
      all = *seen_.unverified;
      auto read_so_far = by_->is_ours() ? read_unverified(all, std::get<token_rules>(by_->rules))
                                        : read_unverified(all, std::get<issuer_rules>(by_->rules));
      if (!read_so_far) return;
      claims = std::move(*read_so_far);
    } else {
      return;
    }
    caller who{claims.subject, claims.client_id, claims.scopes};
    if (by_->is_ours()) {
      who.claims.ours = &claims;
    } else {
      who.claims.theirs = &all;
    }
    explained_check check;
    check.name = "scopes";
    check.seen = claims.scopes.empty() ? "none" : join(claims.scopes, " ");
    check.expected = about_.rules.base_scopes.empty() ? "none for the server as such"
                                                      : join(about_.rules.base_scopes, " ");
    if (about_.no_rules) {
      check.verdict =
          about_.no_rules->code == errc::policy_incomplete ? finding::fails : finding::cannot_be_told;
      check.code = about_.no_rules->code;
      check.why = about_.no_rules->detail;
      told_.checks.push_back(std::move(check));
      return;
    }
    auto enters = authorize_stream(policy(about_.rules), who);
    if (!enters) {
      check.verdict = finding::fails;
      check.code = enters.error().code;
      for (const auto& scope : about_.rules.base_scopes) {
        auto words = how_scopes_differ(claims.scopes, scope);
        if (!words.empty() && !holds(claims.scopes, scope)) check.why = in_quotes(scope) + ": " + words;
      }
      if (check.why.empty()) check.why = enters.error().detail;
    }
    told_.checks.push_back(std::move(check));
    told_.access = explain_access(about_.rules, who);
  }

  void conclude() {
    if (about_.is_public) {
      told_.outcome = token_outcome::opens;
      told_.notes.push_back(
          "This server asks for no token (require_auth: false): it opens with any, and with none.");
      return;
    }
    // What only the server's own check has seen.
    if (about_.judged && !*about_.judged && !is_told_of(about_.judged->error().code) &&
        !is_bound_without_proof()) {
      const auto& why = about_.judged->error();
      bool away = explain(why.code).status == 503;
      explained_check check{"verdict", away ? finding::cannot_be_told : finding::fails};
      check.code = why.code;
      check.why = why.detail;
      told_.checks.push_back(std::move(check));
    }
    bool unclear = !about_.judged.has_value();
    std::optional<std::size_t> first;
    for (std::size_t i = 0; i < told_.checks.size(); ++i) {
      if (told_.checks[i].verdict == finding::cannot_be_told) unclear = true;
      if (told_.checks[i].verdict == finding::fails && !first) first = i;
    }
    told_.outcome = first ? token_outcome::refused : unclear ? token_outcome::unclear : token_outcome::opens;
    told_.first_cause = first;
  }

  bool is_bound_without_proof() const {
    return about_.judged->error().code == errc::token_binding_missing &&
           std::any_of(told_.checks.begin(), told_.checks.end(), [](const auto& c) {
             return c.name == "binding" && c.verdict == finding::cannot_be_told;
           });
  }

  const token_question& about_;
  time_point now_;
  unwrapped_token given_;
  const token_authority* by_ = nullptr;
  token_examination seen_;
  bool opaque_ = false;
  token_explanation told_;
};

// Where tests sign tokens for a gateway, the algorithm says whose a token is.
bool may_be_of(std::string_view alg, const token_authority& by, bool tests_sign) {
  return !tests_sign || (alg == "HS256") == signs_by_hmac(by);
}

}  // namespace

std::size_t authority_of(std::string_view token, const std::vector<token_authority>& authorities,
                         time_point now) {
  auto header = shown_header(token);
  auto alg = header ? text_member(*header, "alg") : std::string();
  auto claims = unverified_claims(token);
  auto issuer = claims ? text_member(*claims, "iss") : std::string();
  bool ours = std::any_of(authorities.begin(), authorities.end(), [](const auto& a) { return a.is_ours(); });
  bool tests_sign = ours && std::any_of(authorities.begin(), authorities.end(), signs_by_hmac);
  std::size_t best = 0;
  int most = -1;
  for (std::size_t i = 0; i < authorities.size(); ++i) {
    const auto& one = authorities[i];
    int fit = may_be_of(alg, one, tests_sign) ? 16 : 0;
    if (!issuer.empty() && is_issuer_of(one, issuer)) fit += 8;
    if (!issuer.empty() && !how_issuers_differ(issuer, issuer_of(one)).empty()) fit += 4;
    if (one.keys != nullptr && said_of(examine(token, one, now), token_check::signature)) fit += 2;
    if (!claims && one.takes_opaque) fit += 1;
    if (fit <= most) continue;
    best = i;
    most = fit;
  }
  return best;
}

token_explanation explain_token(std::string_view given, const token_question& about, time_point now) {
  return walk(given, about, now).run();
}

}  // namespace mcp_oauth
