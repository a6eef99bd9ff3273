#include "base/base64url.h"
#include "base/form.h"
#include "config/derive_policy.h"

#include <string>
#include <utility>

namespace mcp_oauth {
namespace {

class policy_mode_derivation {
 public:
  using refuse_fn = std::function<void(const std::string&, config_flaw)>;
  policy_mode_derivation(config_reading& reading, const refuse_fn& refuse)
      : reading_(reading), s_(reading.draft), refuse_(refuse) {}

  void run() {
    if (!reading_.is_usable("policy.mode") || !reading_.is_usable("policy.url") ||
        !reading_.is_usable("policy.resource_server_id"))
      return;
    s_.policy_mode = named(s_.policy_mode);
    bool elsewhere = s_.policy_mode.empty() || s_.policy_mode.starts_with("remote");
    if (!s_.resource_server_id.empty() && elsewhere) ask_resource_server();
    if (!s_.resource_server_id.empty() && !elsewhere) leave_resource_server();
    if (s_.policy_mode.starts_with("remote")) remote();
    if (s_.policy_mode == "local") local();
    if (s_.policy_mode == "open") open();
  }

 private:
  static std::string named(const std::string& said) {
    if (said == "remote_required" || said == "enforce") return "remote";
    if (said == "local_only") return "local";
    return said == "observe" ? "open" : said;
  }

  // AuthSec has the policy of a resource server below the authorization server, for the client that may
  // introspect.
  void ask_resource_server() {
    const auto* issuer = s_.issuers.empty() ? nullptr : &s_.issuers.front();
    if (!s_.access.url.empty()) {
      reading_.warnings.push_back(name_of("policy.resource_server_id") +
                                  " is not used: policy.url says where the policy is");
      return;
    }
    if (issuer == nullptr || issuer->issuer.empty()) {
      return refuse_("policy.resource_server_id",
                     {"has no meaning without issuer, below which its policy is", "write policy.url"});
    }
    auto below = issuer->issuer;
    while (below.ends_with('/')) below.pop_back();
    s_.access.url = below + "/authsec/resource-servers/" + s_.resource_server_id + "/sdk-policy";
    if (!s_.access.token.empty() || !reading_.is_usable("policy.token")) return;
    if (issuer->introspection_client_id.empty() || issuer->introspection_client_secret.empty()) {
      return refuse_("policy.resource_server_id",
                     {"requires introspection credentials (introspection_client_id and "
                      "introspection_client_secret): the policy is asked for with them",
                      "add them, or policy.token"});
    }
    s_.access.token = secret(
        "Basic " + base64_encode(percent_encode(issuer->introspection_client_id) + ":" +
                                 percent_encode(std::string(issuer->introspection_client_secret.reveal()))));
  }

  void leave_resource_server() {
    reading_.warnings.push_back(name_of("policy.resource_server_id") + " is not used with policy.mode: " +
                                s_.policy_mode + ", where no policy comes from elsewhere");
  }

  void remote() {
    if (s_.access.url.empty() && s_.resource_server_id.empty()) {
      return refuse_("policy.mode", {"wants a policy from elsewhere, and nothing says where that is",
                                     "set policy.url, or AUTHSEC_RESOURCE_SERVER_ID"});
    }
    const std::string wanted = s_.policy_mode == "remote" ? "none" : "local";
    if (reading_.has("policy.fallback") && s_.access.fallback != wanted) {
      return refuse_("policy.mode",
                     {"contradicts policy.fallback: " + s_.access.fallback, "remove one of the two"});
    }
    s_.access.fallback = wanted;
  }

  // Without rules there is nothing to enforce, and everything would be open.
  void local() {
    if (!s_.access.url.empty()) {
      return refuse_("policy.mode", {"is local, and policy.url names a policy from elsewhere",
                                     "remove policy.url, or write policy.mode: remote"});
    }
    if (has_rules()) return;
    refuse_("policy.mode",
            {"is local, and there are no rules: every accepted token would open every tool",
             "add tools (in the environment AUTHSEC_TOOL_SCOPES_JSON), or say policy.mode: open"});
  }

  void open() {
    if (!s_.access.url.empty() || has_rules()) {
      return refuse_("policy.mode",
                     {"is open, and there are rules, which are always enforced here",
                      "remove tools and policy, or leave policy.mode out; policy.filter_lists: false only "
                      "leaves the lists as they are"});
    }
    reading_.warnings.push_back(name_of("policy.mode") +
                                " is open: every accepted token opens every tool of the MCP server");
  }

  bool has_rules() const {
    const auto& a = s_.access;
    bool any = s_.tools_given || a.methods.given || a.resources.given || a.prompts.given;
    for (const auto& u : s_.upstreams) {
      any = any || u.tools_given || u.sections.methods.given || u.sections.resources.given ||
            u.sections.prompts.given;
    }
    return any;
  }

  std::string name_of(const std::string& path) const {
    auto found = reading_.given.find(path);
    return found == reading_.given.end() ? path : found->second.key;
  }

  config_reading& reading_;
  config_draft& s_;
  const refuse_fn& refuse_;
};

}  // namespace

void derive_policy_mode(config_reading& reading,
                        const std::function<void(const std::string&, config_flaw)>& refuse) {
  policy_mode_derivation(reading, refuse).run();
}

}  // namespace mcp_oauth
