// The metadata of the resource (RFC 9728).

#include "base/text.h"
#include "doctor/site_check.h"
#include "oauth/displayable.h"
#include "oauth/near_miss.h"
#include "oauth/resource.h"

#include <algorithm>

namespace mcp_oauth::checks {
namespace {

std::string get_command(std::string_view address) { return "curl -si " + shell_url(address); }

// Whether anybody asks for a token here: an open server needs no metadata.
bool wanted(const site_facts& facts) { return facts.asks_for_token(); }

bool all_asked(const site_facts& facts) {
  return std::all_of(facts.resource_forms.begin(), facts.resource_forms.end(),
                     [](const site_document& one) { return one.exchange != nullptr; });
}

bool announced(const site_facts& facts, const site_document& form) {
  return form.address == facts.demand.resource_metadata;
}

std::string told_of_all(const std::vector<site_document>& forms) {
  std::string told;
  for (const auto& form : forms) {
    told += (told.empty() ? "" : "; ") + shown_url(form.address) + ": " +
            (form.good() ? "a document" : form.trouble);
  }
  return told;
}

void one_form(const site_facts& facts, const site_document& form, site_findings& into) {
  if (&form == facts.resource) {
    into.ok("The resource metadata is there", "", shown_url(form.address));
    return;
  }
  if (announced(facts, form)) return;  // said by challenge.metadata
  if (form.good() && !text_member(*form.object, "resource").empty()) {
    auto other = text_member(*form.object, "resource");
    std::vector<std::string> servers;
    read(*form.object, "authorization_servers", servers);
    if (other == facts.resource_name && servers == facts.issuers) {
      into.ok("The resource metadata is there", "", shown_url(form.address));
      return;
    }
    // Without a path it may rightly be about the origin.
    bool of_origin = form.address.ends_with("/oauth-protected-resource") && servers == facts.issuers;
    if (of_origin) return;
    auto& one =
        into.warning(errc::resource_metadata_contradicts,
                     shown_url(other) + (servers == facts.issuers ? "" : ", other authorization servers"),
                     shown_url(facts.resource_name) + ", as at " + shown_url(facts.resource->address),
                     shown_url(form.address));
    one.verify = get_command(form.address);
    return;
  }
  auto code = form.absent ? errc::resource_metadata_form_absent : errc::resource_metadata_unusable;
  // Who was told where it is does not need the other forms.
  bool told = !facts.demand.resource_metadata.empty();
  bool root = form.address.ends_with("/oauth-protected-resource");
  if (form.absent && told && root) return;
  auto& one = into.warning(code, form.good() ? "a document without resource" : form.trouble,
                           "the document of " + shown_url(facts.resource->address), shown_url(form.address));
  one.verify = get_command(form.address);
}

}  // namespace

void resource_is_published(const site_facts& facts, site_findings& into) {
  if (!wanted(facts) || !all_asked(facts)) return;
  if (facts.resource != nullptr) {
    for (const auto& form : facts.resource_forms) one_form(facts, form, into);
    return;
  }
  auto usable = [](const site_document& one) { return !one.absent && one.exchange->answered(); };
  auto bad = std::find_if(facts.resource_forms.begin(), facts.resource_forms.end(), usable);
  bool absent = bad == facts.resource_forms.end();
  bool silent = absent && std::none_of(facts.resource_forms.begin(), facts.resource_forms.end(),
                                       [](const auto& one) { return one.exchange->answered(); });
  // Servers of before 2025-06-18 are their own authorization server, and many clients know that.
  const auto* server = facts.first_server();
  bool old = absent && server != nullptr && server->of_origin;
  const auto& place = absent ? facts.resource_forms.front() : *bad;
  auto& one = into.add(old ? severity::warning : severity::failure,
                       absent ? errc::resource_metadata_absent : errc::resource_metadata_unusable,
                       told_of_all(facts.resource_forms),
                       "a JSON document with resource and authorization_servers", shown_url(place.address));
  one.certain = !silent;
  int status = place.exchange->status();
  if (!absent && (status == 401 || status == 403)) {
    one.cause = "The metadata itself asks for a token, or something in front refuses it.";
    one.fix = "Leave /.well-known out of what asks for a token.";
  }
  if (!absent && status == 200 && looks_like_a_page(place.exchange->answer->body)) {
    one.cause =
        "A web application answers all paths that it does not know with its page; /.well-known is not "
        "routed.";
    one.fix = "Route /.well-known/oauth-protected-resource to the MCP server.";
  }
  one.verify = get_command(place.address);
}

void resource_is_this(const site_facts& facts, site_findings& into) {
  if (facts.resource == nullptr) return;
  const auto& target = facts.evidence.target;
  const auto& seen = facts.resource_name;
  auto expected = target.to_string();
  auto where = "resource in " + shown_url(facts.resource->address);
  auto verify = "curl -s " + shell_url(facts.resource->address) + " | grep -o '\"resource\"[^,]*'";
  auto bare = [](std::string text) {
    auto parsed = url::parse(text);
    return parsed && parsed->path == "/" && !parsed->has_query ? parsed->origin() : text;
  };
  if (seen == expected || bare(seen) == bare(expected)) {
    into.ok("The resource is this server", shown_url(seen), where);
    return;
  }
  auto how = how_issuers_differ(seen, expected);
  auto theirs = canonical_resource(seen);
  auto ours = canonical_resource(expected);
  bool same = theirs && ours && *theirs == *ours;
  auto place = url::parse(seen);
  bool parent = false;
  if (place && place->origin() == target.origin()) {
    auto path = place->path;
    while (path.ends_with('/')) path.pop_back();
    parent = target.path.starts_with(path + "/") || target.path == path;
  }
  auto& one = into.add(same || parent ? severity::warning : severity::failure,
                       same || parent ? errc::resource_near_miss : errc::resource_differs, shown_url(seen),
                       shown_url(expected), where);
  if (!how.empty()) one.cause += " Here: " + how + ".";
  if (parent && !same) one.cause += " Here: it is the address above.";
  one.verify = verify;
}

void resource_names_servers(const site_facts& facts, site_findings& into) {
  if (facts.resource == nullptr) return;
  auto where = "authorization_servers in " + shown_url(facts.resource->address);
  auto verify = "curl -s " + shell_url(facts.resource->address);
  if (facts.issuers.empty()) {
    bool there = facts.resource->object->contains("authorization_servers");
    auto& one = into.failure(errc::authorization_servers_absent,
                             there ? "no list of issuers in it" : "no such member",
                             "the issuer of the authorization server", where);
    if (facts.first_server() != nullptr) one.level = severity::warning;
    one.verify = verify;
    return;
  }
  for (const auto& issuer : facts.issuers) {
    auto parsed = url::parse(issuer);
    bool document = issuer.find("/.well-known/") != std::string::npos;
    if (parsed && parsed->is_http() && !parsed->has_query && !document) continue;
    auto& one = into.failure(errc::authorization_servers_absent, shown_url(issuer),
                             "an issuer: an absolute http(s) URL without a query", where);
    one.title = "An authorization server is named by no issuer";
    one.cause = document ? "The address of its metadata document stands there, and not its issuer."
                         : "It is no absolute URL.";
    one.fix = "Write the issuer exactly as its metadata says it.";
    one.verify = verify;
    return;
  }
  std::string all;
  for (const auto& issuer : facts.issuers) all += (all.empty() ? "" : ", ") + shown_url(issuer);
  into.ok("The resource names its authorization server", all, where);
}

void resource_scopes(const site_facts& facts, site_findings& into) {
  if (facts.resource == nullptr) return;
  std::vector<std::string> scopes;
  auto how = read(*facts.resource->object, "scopes_supported", scopes);
  auto where = "scopes_supported in " + shown_url(facts.resource->address);
  if (how == member::wrong_type) {
    auto& one =
        into.failure(errc::resource_metadata_unusable, "no array of strings", "[\"scope\", …]", where);
    one.verify = "curl -s " + shell_url(facts.resource->address);
    return;
  }
  std::vector<std::string> unfit;
  for (const char* scope : {"offline_access", "openid"}) {
    if (holds(scopes, scope)) unfit.emplace_back(scope);
  }
  if (unfit.empty()) return;
  // `openid` alone is harmless where its authorization server is an OpenID provider.
  if (!holds(unfit, "offline_access")) return;
  auto& one =
      into.warning(errc::resource_scopes_unfit, join(unfit, " "), "scopes of this resource alone", where);
  one.verify = "curl -s " + shell_url(facts.resource->address);
}

}  // namespace mcp_oauth::checks
