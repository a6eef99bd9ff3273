#include "bridge/discovery.h"

#include "base/text.h"
#include "bridge/failure.h"

#include <algorithm>
#include <utility>

namespace mcp_oauth {
namespace {

// Of those that a resource names, as the doctor has it; an error is read by people.
constexpr std::size_t most_issuers = 3;
constexpr std::size_t longest_told = 600;

struct search : std::enable_shared_from_this<search> {
  discovery_wish wish;
  outbound_rules rules;
  std::function<sign_in_step(result<discovered>, time_point)> then;

  discovered found;
  std::vector<std::string> urls;     // still to be asked, for the question at hand
  std::vector<std::string> issuers;  // still to be asked
  std::string issuer;                // asked about
  std::vector<std::string> tried;
  std::optional<error> worst;  // the most telling failure so far
  bool any_answer = false;
  bool any_word = false;  // an answer that says something, and not only that it is busy
  bool was_busy = false;  // that is all that was said of the resource

  using judge = sign_in_step (search::*)(const std::string&, const http_answer&, time_point);

  sign_in_step ask(judge how, sign_in_step (search::*none)(time_point), time_point now) {
    while (!urls.empty()) {
      auto address = urls.front();
      urls.erase(urls.begin());
      auto usable = usable_url(address, "the metadata address", rules);
      if (!usable) {
        note(usable.error());
        continue;
      }
      sign_in_fetch fetch;
      fetch.call.url = address;
      fetch.call.fields.add("Accept", "application/json");
      fetch.rules = rules_for(*usable, named_by::server, rules);
      fetch.purpose = "metadata";
      fetch.then = [self = shared_from_this(), how, none, address](const result<http_answer>& answer,
                                                                   time_point later) -> sign_in_step {
        if (answer) {
          self->any_answer = true;
          self->any_word = self->any_word || (answer->status < 500 && answer->status != 429);
          return ((*self).*how)(address, *answer, later);
        }
        self->note(answer.error());
        return self->ask(how, none, later);
      };
      return fetch;
    }
    return ((*this).*none)(now);
  }

  // A mismatch says more than a document that is not there.
  void note(const error& why) {
    tried.emplace_back(cut_text(why.detail, longest_told));
    auto weight = [](errc code) {
      switch (code) {
        case errc::sign_in_resource_mismatch:
        case errc::sign_in_issuer_mismatch: return 3;
        case errc::sign_in_url_refused:
        case errc::address_refused: return 2;
        default: return 1;
      }
    };
    if (!worst || weight(why.code) > weight(worst->code)) worst = why;
  }

  sign_in_step begin(time_point now) {
    if (wish.only_issuer) {
      issuers = {wish.issuer};
      return next_issuer(now);
    }
    urls = resource_metadata_urls(wish.server, wish.resource_metadata);
    return ask(&search::judge_resource, &search::no_resource, now);
  }

  sign_in_step judge_resource(const std::string& from, const http_answer& answer, time_point now) {
    auto facts = read_resource_metadata(wish.server, from, answer);
    if (!facts) {
      note(facts.error());
      // A document about something else was meant for something else: it is an end, not a gap.
      if (facts.error().code == errc::sign_in_resource_mismatch)
        return then(tl::unexpected<error>(*worst), now);
      return ask(&search::judge_resource, &search::no_resource, now);
    }
    urls.clear();
    issuers = facts->authorization_servers;
    auto known = std::find(issuers.begin(), issuers.end(), wish.preferred_issuer);
    if (known != issuers.end()) std::rotate(issuers.begin(), known, known + 1);
    if (issuers.size() > most_issuers) {
      tried.push_back(std::to_string(issuers.size()) + " authorization servers are named, and the first " +
                      std::to_string(most_issuers) + " asked");
      issuers.resize(most_issuers);
    }
    found.resource = std::move(*facts);
    any_answer = any_word = false;  // of the authorization servers, from here on
    if (issuers.empty()) issuers = {wish.server.origin()};
    return next_issuer(now);
  }

  sign_in_step next_issuer(time_point now) {
    while (!issuers.empty()) {
      issuer = issuers.front();
      issuers.erase(issuers.begin());
      auto usable = usable_url(issuer, "the issuer in authorization_servers", rules);
      if (!usable || usable->has_query) {
        note(usable ? error{errc::sign_in_url_refused, "an issuer with a query"} : usable.error());
        continue;
      }
      urls = server_metadata_urls(*usable);
      return ask(&search::judge_server, &search::next_issuer, now);
    }
    return over(now);
  }

  sign_in_step judge_server(const std::string& from, const http_answer& answer, time_point now) {
    auto facts = read_server_metadata(issuer, from, answer, rules);
    if (!facts) {
      note(facts.error());
      return ask(&search::judge_server, &search::next_issuer, now);
    }
    found.server = std::move(*facts);
    return finish(now);
  }

  // MCP 2025-03-26: the server's origin is its own authorization server.
  sign_in_step no_resource(time_point now) {
    if (!any_answer) return over(now);
    was_busy = !any_word;
    auto origin = url::parse(wish.server.origin());
    urls = server_metadata_urls(*origin);
    return ask(&search::judge_origin, &search::assume, now);
  }

  sign_in_step judge_origin(const std::string& from, const http_answer& answer, time_point now) {
    auto origin = wish.server.origin();
    auto facts = read_server_metadata(origin, from, answer, rules);
    // Both names have the same metadata address.
    if (!facts && facts.error().code == errc::sign_in_issuer_mismatch)
      if (auto other = read_server_metadata(origin + "/", from, answer, rules)) facts = std::move(other);
    if (!facts) {
      note(facts.error());
      if (facts.error().code == errc::sign_in_issuer_mismatch) return over(now);
      return ask(&search::judge_origin, &search::assume, now);
    }
    found.server = std::move(*facts);
    return finish(now);
  }

  sign_in_step assume(time_point now) {
    if (was_busy) return over(now);
    found.server = assumed_server(wish.server);
    return finish(now);
  }

  sign_in_step finish(time_point now) {
    found.tried = std::move(tried);
    return then(std::move(found), now);
  }

  sign_in_step over(time_point now) {
    if (worst && worst->code == errc::sign_in_issuer_mismatch)
      return then(tl::unexpected<error>(*worst), now);
    if (worst && worst->code == errc::sign_in_url_refused) return then(tl::unexpected<error>(*worst), now);
    // Before its metadata was read, it was the MCP server that was asked.
    auto away =
        found.resource || wish.only_issuer ? errc::sign_in_token_unreachable : errc::upstream_unreachable;
    auto code = any_word && !was_busy ? errc::sign_in_metadata_missing : away;
    return then(fail(code, "tried: " + join(tried, "; ")), now);
  }
};

}  // namespace

sign_in_step discover(discovery_wish wish, const outbound_rules& rules,
                      std::function<sign_in_step(result<discovered>, time_point)> then, time_point now) {
  auto made = std::make_shared<search>();
  made->wish = std::move(wish);
  made->rules = rules;
  made->then = std::move(then);
  return made->begin(now);
}

}  // namespace mcp_oauth
