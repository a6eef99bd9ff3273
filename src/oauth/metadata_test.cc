#include "oauth/metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {

void PrintTo(const metadata_path& match, std::ostream* out) {
  *out << static_cast<int>(match.kind) << " for '" << match.resource_path << "'";
}

namespace {

using document = metadata_path::document;

TEST(ProtectedResourceMetadata, SaysWhereToSignInAndHowToSendTheToken) {
  resource_description resource{"https://mcp.example.com/mcp",
                                {"https://mcp.example.com"},
                                {"tools:read", "offline_access", "tools:write"},
                                "Example"};
  EXPECT_EQ(
      json::serialize(protected_resource_metadata(resource)),
      R"({"resource":"https://mcp.example.com/mcp","authorization_servers":["https://mcp.example.com"],)"
      R"("scopes_supported":["tools:read","tools:write"],"bearer_methods_supported":["header"],)"
      R"("resource_name":"Example"})");
}

TEST(ProtectedResourceMetadata, LeavesOutWhatIsEmpty) {
  EXPECT_EQ(
      json::serialize(protected_resource_metadata({"https://h/mcp", {"https://h"}, {"offline_access"}, ""})),
      R"({"resource":"https://h/mcp","authorization_servers":["https://h"],"bearer_methods_supported":["header"]})");
}

TEST(AuthorizationServerMetadata, AnnouncesWhatTheServerDoes) {
  server_description server;
  server.issuer = "https://h";
  server.scopes = {"tools:read"};
  server.protected_resources = {"https://h/mcp"};
  EXPECT_EQ(authorization_server_metadata(server), parse_json_object(R"({
    "issuer": "https://h",
    "authorization_endpoint": "https://h/oauth/authorize",
    "token_endpoint": "https://h/oauth/token",
    "registration_endpoint": "https://h/oauth/register",
    "revocation_endpoint": "https://h/oauth/revoke",
    "introspection_endpoint": "https://h/oauth/introspect",
    "jwks_uri": "https://h/.well-known/jwks.json",
    "response_types_supported": ["code"],
    "response_modes_supported": ["query"],
    "grant_types_supported": ["authorization_code", "refresh_token"],
    "code_challenge_methods_supported": ["S256"],
    "token_endpoint_auth_methods_supported": ["none", "client_secret_post", "client_secret_basic"],
    "revocation_endpoint_auth_methods_supported": ["none", "client_secret_post", "client_secret_basic"],
    "introspection_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
    "scopes_supported": ["tools:read", "offline_access"],
    "client_id_metadata_document_supported": true,
    "authorization_response_iss_parameter_supported": true,
    "protected_resources": ["https://h/mcp"]
  })")
                                                       .value());
}

TEST(AuthorizationServerMetadata, AnnouncesNoRegistrationThatIsSwitchedOff) {
  server_description server;
  server.issuer = "https://h";
  server.dynamic_registration = false;
  server.client_documents = false;
  server.scopes = {"offline_access", "a"};
  auto metadata = authorization_server_metadata(server);
  EXPECT_FALSE(metadata.contains("registration_endpoint"));
  EXPECT_FALSE(metadata.contains("protected_resources"));
  EXPECT_EQ(metadata["client_id_metadata_document_supported"], false);
  EXPECT_EQ(json::serialize(metadata["scopes_supported"]), R"(["offline_access","a"])");
}

TEST(OpenIdConfiguration, HasTheSameMembersAndThoseThatItsStandardRequires) {
  server_description server;
  server.issuer = "https://h";
  auto metadata = openid_configuration(server);
  for (auto name :
       {"issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "response_types_supported",
        "subject_types_supported", "id_token_signing_alg_values_supported"}) {
    EXPECT_TRUE(metadata.contains(name)) << name;
  }
  for (const auto& member : authorization_server_metadata(server)) {
    EXPECT_EQ(metadata[member.key()], member.value()) << member.key();
  }
  EXPECT_FALSE(metadata.contains("userinfo_endpoint"));
}

TEST(MatchMetadataPath, KnowsEveryFormThatClientsTry) {
  struct row {
    std::string_view path;
    metadata_path match;
  };
  for (auto [path, match] : {
           row{"/.well-known/oauth-protected-resource", {document::protected_resource, ""}},
           row{"/.well-known/oauth-protected-resource/", {document::protected_resource, ""}},
           row{"/.well-known/oauth-protected-resource/mcp", {document::protected_resource, "/mcp"}},
           row{"/.well-known/oauth-protected-resource/mcp/", {document::protected_resource, "/mcp"}},
           row{"/.well-known/oauth-protected-resource/team/a/mcp",
               {document::protected_resource, "/team/a/mcp"}},
           row{"/mcp/.well-known/oauth-protected-resource", {document::protected_resource, "/mcp"}},
           row{"/.well-known/oauth-authorization-server", {document::authorization_server, ""}},
           row{"/.well-known/oauth-authorization-server/mcp", {document::authorization_server, "/mcp"}},
           row{"/mcp/.well-known/oauth-authorization-server", {document::authorization_server, "/mcp"}},
           row{"/.well-known/openid-configuration", {document::openid_configuration, ""}},
           row{"/.well-known/openid-configuration/mcp", {document::openid_configuration, "/mcp"}},
           row{"/mcp/.well-known/openid-configuration", {document::openid_configuration, "/mcp"}},
           row{"/mcp/.well-known/openid-configuration/", {document::openid_configuration, "/mcp"}},
           row{"/team/a/mcp/.well-known/openid-configuration",
               {document::openid_configuration, "/team/a/mcp"}},
       }) {
    auto found = match_metadata_path(path);
    ASSERT_TRUE(found) << path;
    EXPECT_EQ(*found, match) << path;
  }
}

TEST(MatchMetadataPath, KnowsNothingElse) {
  for (auto path : {"", "/", "/mcp", "/.well-known", "/.well-known/", "/.well-known/jwks.json",
                    "/.well-known/mcp", "/.well-known/oauth-protected-resources",
                    "/.well-known/oauth-protected-resource.json", "/.well-known/OAuth-Protected-Resource",
                    "/.well-known//oauth-protected-resource", ".well-known/oauth-protected-resource",
                    "mcp/.well-known/openid-configuration", "/mcp/.well-known/openid-configuration/more",
                    "/mcp.well-known/openid-configuration", "/.well-known/%6fauth-protected-resource"}) {
    EXPECT_EQ(match_metadata_path(path), std::nullopt) << path;
  }
}

TEST(ProtectedResource, SaysHowTokensMayBeBound) {
  resource_description r;
  r.resource = "https://h/mcp";
  auto plain = protected_resource_metadata(r);
  EXPECT_FALSE(plain.contains("dpop_signing_alg_values_supported"));
  EXPECT_FALSE(plain.contains("dpop_bound_access_tokens_required"));
  EXPECT_FALSE(plain.contains("tls_client_certificate_bound_access_tokens"));
  r.dpop_algorithms = {algorithm::es256, algorithm::eddsa};
  r.dpop_required = r.certificate_bound = true;
  auto bound = protected_resource_metadata(r);
  EXPECT_EQ(bound.at("dpop_signing_alg_values_supported"), json::value({"ES256", "EdDSA"}));
  EXPECT_EQ(bound.at("dpop_bound_access_tokens_required"), true);
  EXPECT_EQ(bound.at("tls_client_certificate_bound_access_tokens"), true);
}

}  // namespace
}  // namespace mcp_oauth
