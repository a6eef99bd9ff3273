#include "app/examine_site.h"

#include "app/outbound_way.h"
#include "doctor/site_plan.h"
#include "net/http_client.h"
#include "net/reach.h"

#include <future>
#include <utility>

namespace mcp_oauth {
namespace {

constexpr int most_rounds =
    24;  // five redirects, three of each kind of document, three streams, and each kind

site_exchange carry_out(const site_errand& errand, const std::string& ca_file) {
  auto by = way_to(errand.call, errand.rules);
  if (!by)
    return {errand.what, errand.call, tl::unexpected<error>(by.error()), std::chrono::system_clock::now()};
  auto seen = net::look(errand.call, errand.rules, ca_file, *by, errand.events);
  auto now = std::chrono::system_clock::now();
  if (!seen) return {errand.what, errand.call, tl::unexpected<error>(seen.error()), now};
  return {errand.what, errand.call,          std::move(seen->answer),
          now,         std::move(seen->cut), std::move(seen->events)};
}

}  // namespace

site_evidence examine(const url& target, const std::string& ca_file) {
  site_evidence evidence;
  evidence.target = target;
  for (int round = 0; round < most_rounds; ++round) {
    auto plan = next_of_site(evidence);
    if (plan.empty()) break;
    std::vector<std::future<reached>> looks;
    for (const auto& place : plan.places) {
      net::reach_wish wish{place.host, place.port, place.tls, ca_file, milliseconds(5000)};
      looks.push_back(std::async(std::launch::async, [wish] { return net::reach(wish); }));
    }
    std::vector<std::future<site_exchange>> answers;
    for (const auto& errand : plan.errands) {
      answers.push_back(std::async(std::launch::async, [&] { return carry_out(errand, ca_file); }));
    }
    for (auto& look : looks) evidence.places.push_back(look.get());
    for (auto& answer : answers) evidence.exchanges.push_back(answer.get());
  }
  return evidence;
}

}  // namespace mcp_oauth
