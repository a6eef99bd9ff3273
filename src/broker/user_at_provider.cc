#include "broker/sign_in_at_provider.h"
#include "config/provider_kind.h"
#include "provider/user_endpoint.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

// Who signed in so far, and what may still be asked about them.
struct inquiry {
  const provider_settings* provider = nullptr;
  std::string user_endpoint;
  secret access_token;
  identity who;
  asked_person_step then;
};
using inquiry_ptr = std::shared_ptr<inquiry>;

// The API's root: the user endpoint without its last segment.
std::string root_of(const std::string& user_endpoint) {
  return user_endpoint.substr(0, user_endpoint.rfind('/'));
}

bool is_decided(const inquiry& i) {
  auto allowed = allowed_at(*i.provider);
  return allowed.organizations.empty() || check_allowed(allowed, i.who);
}

// One entry after the other, until one of them lets the person in.
step ask_memberships(exchange x, inquiry_ptr i, std::size_t next) {
  const auto& entries = i->provider->allowed_organizations;
  const auto& kind = kind_of(*i->provider);
  if (kind.organization_path.empty() || next >= entries.size() || is_decided(*i)) {
    return i->then(std::move(x), i->who);
  }
  auto entry = split_organization(entries[next]);
  bool team = !entry.team.empty();
  auto path =
      membership_path(team ? kind.team_path : kind.organization_path, entry, i->who.preferred_username);
  outbound fetch;
  fetch.call = user_request((team ? root_of(i->user_endpoint) : i->user_endpoint) + path, i->access_token);
  fetch.then = [x, i, next](result<http_answer> answer, time_point now) -> step {
    auto member = answer.and_then([](const auto& a) { return process_membership_answer(a); });
    const auto& asked = i->provider->allowed_organizations[next];
    if (!member) {
      x.log->note("userinfo", "membership of " + asked + ": " + member.error().detail);
    } else if (*member) {
      i->who.organizations.push_back(asked);
    }
    return ask_memberships(x.at(now), i, next + 1);
  };
  return fetch;
}

// An address that the user endpoint has is only what the person shows to others.
step ask_emails(exchange x, inquiry_ptr i) {
  const auto& kind = kind_of(*i->provider);
  if (kind.emails_path.empty() || i->who.email_verified)
    return ask_memberships(std::move(x), std::move(i), 0);
  outbound fetch;
  fetch.call = user_request(i->user_endpoint + std::string(kind.emails_path), i->access_token);
  fetch.then = [x, i](result<http_answer> answer, time_point now) -> step {
    auto completed = answer.and_then([&](const auto& a) { return process_emails_answer(i->who, a); });
    if (completed) {
      i->who = std::move(*completed);
    } else {
      x.log->note("userinfo", "e-mail addresses: " + completed.error().detail);
    }
    return ask_memberships(x.at(now), i, 0);
  };
  return fetch;
}

}  // namespace

step with_user(exchange x, const provider_settings& provider, const provider_metadata& metadata,
               const secret& access_token, asked_person_step then) {
  auto i = std::make_shared<inquiry>();
  i->provider = &provider;
  i->user_endpoint = metadata.userinfo_endpoint;
  i->access_token = access_token;
  i->then = std::move(then);
  outbound fetch;
  fetch.call = user_request(i->user_endpoint, access_token);
  fetch.then = [x, i](result<http_answer> answer, time_point now) -> step {
    if (!answer) {
      return i->then(x.at(now), fail(errc::provider_unreachable, answer.error().detail));
    }
    auto who = process_user_answer(i->provider->name, subject_field_of(*i->provider),
                                   claim_names_of(*i->provider), *answer);
    if (!who) return i->then(x.at(now), tl::unexpected(who.error()));
    i->who = std::move(*who);
    return ask_emails(x.at(now), i);
  };
  return fetch;
}

}  // namespace mcp_oauth
