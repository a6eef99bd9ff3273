#include "app/issuer_fetch.h"

#include "symptom/catalogue.h"

#include <future>
#include <map>
#include <utility>

namespace mcp_oauth {
namespace {

// Metadata at each of its places, then keys: more rounds than there can be documents.
constexpr int most_rounds = 8;

}  // namespace

time_point real_time() { return std::chrono::system_clock::now(); }

std::vector<issuer_failure> fetch_first_documents(guard& judge, const fetch_fn& fetch,
                                                  const clock_fn& clock) {
  std::map<std::size_t, issuer_keys::document> last;
  for (int round = 0; round < most_rounds; ++round) {
    auto errands = judge.due(clock());
    if (errands.empty()) break;
    std::vector<std::future<result<http_answer>>> answers;
    answers.reserve(errands.size());
    for (const auto& errand : errands) {
      answers.push_back(
          std::async(std::launch::async, [&] { return fetch(errand.fetch.call, errand.fetch.rules); }));
    }
    for (std::size_t i = 0; i < errands.size(); ++i) {
      last[errands[i].issuer] = errands[i].fetch.what;
      judge.learned(errands[i], answers[i].get(), clock());
    }
  }
  std::vector<issuer_failure> failures;
  auto all = judge.status(clock());
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].ready) continue;
    bool keys = last.contains(i) && last[i] == issuer_keys::document::keys;
    bool away = all[i].failure && all[i].failure->code == errc::issuer_unreachable;
    error why{keys   ? errc::issuer_keys_unavailable
              : away ? errc::issuer_unreachable
                     : errc::issuer_metadata_invalid,
              all[i].failure ? all[i].failure->detail : "its metadata names no introspection_endpoint"};
    failures.push_back({all[i].issuer, std::move(why)});
  }
  return failures;
}

std::string retried(const issuer_failure& failure) {
  return std::string(explain(failure.why.code).description) + ": " + failure.issuer + ": " +
         failure.why.detail + " (start_retry: its tokens are refused with 503 until it is there)";
}

std::string told(const issuer_failure& failure) {
  const auto& row = explain(failure.why.code);
  bool keys = failure.why.code == errc::issuer_keys_unavailable;
  // The words that people search for; whose fault it is says the id.
  auto words = keys ? row.description : explain(errc::issuer_metadata_invalid).description;
  std::string text = std::string(words) + "\n  Issuer: " + failure.issuer +
                     "\n  Cause:  " + failure.why.detail + "\n  Check:\n";
  if (keys) {
    text +=
        "  - the jwks_uri of the issuer's metadata is accessible from this machine\n"
        "  - network and firewall settings allow the connection\n"
        "  - the issuer's own addresses are the ones that this machine can reach, inside of containers too\n";
  } else {
    text +=
        "  - OAUTH_ISSUER_URL (issuer) is correct\n"
        "  - the URL is accessible from this machine: curl -v URL\n"
        "  - the OAuth provider is running\n"
        "  - network and firewall settings allow the connection\n";
  }
  return text +
         "  start_retry: true starts without it, refuses its tokens with 503, and goes on trying\n  (" +
         std::string(row.id) + ")\n";
}

}  // namespace mcp_oauth
