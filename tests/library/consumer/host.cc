// A host that knows the library as pkg-config tells of it: JWKS ISSUER RESOURCE TOKEN → "subject scopes".

#include <iostream>

#include <mcp_oauth/guard.h>

int main(int count, char** words) {
  if (count != 5) return 2;
  mcp_oauth::options options;
  options.server.keys = words[1];
  options.server.issuer = words[2];
  options.resource = words[3];
  auto guard = mcp_oauth::guard::make(options);
  if (!guard) {
    std::cout << guard.error().text() << '\n';
    return 1;
  }
  auto user = guard->validate(words[4]);
  if (!user) {
    std::cout << user.error().reason() << '\n';
    return 1;
  }
  std::cout << user->subject();
  for (const auto& scope : user->scopes()) std::cout << ' ' << scope;
  std::cout << '\n';
  return mcp_oauth::library_abi() == MCP_OAUTH_ABI ? 0 : 3;
}
