// Which of the two this is, a gateway or a guard, and what a provider at the top level stands for.

#include "base/text.h"
#include "config/derive_issuer.h"
#include "provider/known_providers.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace mcp_oauth {
namespace {

class mode_derivation {
 public:
  mode_derivation(config_reading& reading, const refuse_function& refuse)
      : reading_(reading), draft_(reading.draft), refuse_(refuse), said_(draft_.mode) {}

  void run() {
    if (!reading_.is_usable("mode")) {
      draft_.mode = "gateway";
      draft_.issuers.clear();
      return;
    }
    draft_.mode = mode_named(said_);
    if (said_.empty()) draft_.mode = inferred();
    if (draft_.is_guard()) {
      leave_unused({"client_id", "client_secret", "scopes", "redirect_uris"},
                   "is not used by a guard: clients sign in at the issuer themselves");
    } else {
      gateway();
    }
  }

 private:
  bool has(const std::string& key) const { return reading_.has(key) || reading_.has("issuers[0]." + key); }
  bool from_environment(const std::string& path) const {
    auto found = reading_.given.find(path);
    return found != reading_.given.end() && found->second.file == "environment";
  }

  std::string inferred() {
    bool signs_in = !draft_.providers.empty() || reading_.has("clients");
    if (reading_.has("issuers")) {
      if (signs_in) {
        refuse_("mode", {"is missing: providers and clients belong to a gateway, issuers to a guard",
                         "write mode: gateway or mode: native, and remove the others"});
      }
      return "native";
    }
    if (signs_in || (draft_.issuers.empty() && draft_.provider.empty())) return "gateway";
    if (draft_.provider == "hmac") return "native";
    if (!draft_.client_id.empty()) return "gateway";
    if (!has("issuer")) return draft_.provider.empty() ? "gateway" : "native";
    if (!from_environment("issuers[0].issuer")) {
      refuse_("mode", {"is missing: issuer names whose tokens are accepted, and that is the guard's part",
                       "write mode: native; the address of a gateway itself is public_url"});
    }
    return "native";
  }

  void gateway() {
    bool one = !draft_.provider.empty() || (has("issuer") && !draft_.client_id.empty());
    bool said_proxy = equal_ignoring_case(said_, "proxy");
    if (draft_.providers.empty() && one) {
      provider_at_the_top();
    } else if (draft_.providers.empty() && said_proxy && reading_.is_usable("provider")) {
      refuse_("provider",
              {"invalid config: provider is required",
               "set provider to okta, google, azure or another type; mode: gateway signs people in "
               "with users of its own"});
    } else {
      leave_unused({"provider", "client_id", "client_secret", "scopes"},
                   "is not used: the gateway has its providers under providers");
      leave_unused({"issuers[0].issuer"}, "is not used by a gateway: its own address is public_url");
    }
    leave_unused(
        {"redirect_uris"},
        "is not used: each client registers redirect URIs of its own, and they are compared exactly");
    if (reading_.has("issuers") && !said_.empty()) {
      refuse_("issuers", {"belongs to mode: native", "remove it, or write mode: native"});
    }
    for (const auto& [path, origin] : std::map(reading_.given)) {
      if (path.starts_with("issuers[0].") && draft_.one_issuer)
        leave_unused({path}, "is not used by a gateway, whose tokens are its own");
    }
    draft_.issuers.clear();
    draft_.one_issuer = false;
  }

  void provider_at_the_top() {
    if (!reading_.is_usable("provider")) return;
    auto issuer = draft_.issuers.empty() ? std::string() : draft_.issuers.front().issuer;
    auto type = draft_.provider.empty() ? std::string("oidc") : draft_.provider;
    if (type == "hmac") {
      return refuse_("provider",
                     {"is hmac, and nobody can sign in with a shared secret", "write mode: native"});
    }
    auto& made = draft_.providers.emplace_back();
    made.name = made.type = type;
    made.issuer = issuer;
    made.client_id = draft_.client_id;
    made.client_secret = draft_.client_secret;
    made.scopes = draft_.scopes;
    const std::string there = "providers." + type + ".";
    move("provider", there + "type");
    move("issuers[0].issuer", there + "issuer");
    for (std::string key : {"client_id", "client_secret", "scopes"}) move(key, there + key);
    const auto* known = find_known_provider(type);
    if (made.client_id.empty() && reading_.is_usable(there + "client_id")) {
      missing("client_id", there + "client_id",
              {"invalid config: proxy mode requires ClientID",
               "set client_id, in the environment OIDC_CLIENT_ID: what the provider calls this gateway"});
    }
    if (issuer.empty() && known != nullptr && known->issuer.empty() && reading_.is_usable(there + "issuer")) {
      missing("issuer", there + "issuer",
              {"invalid config: Issuer is required for OIDC provider",
               "set issuer, in the environment OIDC_ISSUER: " + std::string(known->issuer_example)});
    }
  }

  // Says it once: what is derived for the provider sees that it failed.
  void missing(const std::string& key, const std::string& path, config_flaw flaw) {
    refuse_(key, std::move(flaw));
    reading_.failed.insert(path);
  }

  void move(const std::string& from, const std::string& to) {
    auto found = reading_.given.find(from);
    if (found == reading_.given.end()) return;
    reading_.given[to] = found->second;
    reading_.given.erase(found);
    if (reading_.failed.erase(from) > 0) reading_.failed.insert(to);
  }

  // In a file it is a mistake; a variable may be there for another program.
  void leave_unused(const std::vector<std::string>& paths, const std::string& why) {
    for (const auto& path : paths) {
      auto found = reading_.given.find(path);
      if (found == reading_.given.end()) continue;
      if (found->second.file == "environment" || draft_.is_guard()) {
        reading_.warnings.push_back(found->second.file + ": " + found->second.key + " " + why);
      } else {
        refuse_(path, {why, "remove the line"});
      }
      reading_.given.erase(found);
    }
  }

  config_reading& reading_;
  config_draft& draft_;
  const refuse_function& refuse_;
  const std::string said_;
};

}  // namespace

void derive_mode(config_reading& reading, const refuse_function& refuse) {
  mode_derivation(reading, refuse).run();
}

}  // namespace mcp_oauth
