/* The same in C, of 1999: CONFIG TOKEN -> "subject". */

#include <mcp_oauth/c.h>
#include <stdio.h>
#include <string.h>

int main(int count, char** words) {
  mcp_oauth_error* error = NULL;
  mcp_oauth_guard* guard = NULL;
  mcp_oauth_user* user = NULL;
  if (count != 3 || mcp_oauth_abi() != MCP_OAUTH_ABI) return 2;
  guard = mcp_oauth_guard_new(words[1], strlen(words[1]), NULL, &error);
  if (guard != NULL) user = mcp_oauth_validate(guard, words[2], strlen(words[2]), &error);
  printf("%s\n", user != NULL ? mcp_oauth_user_subject(user).data : mcp_oauth_error_text(error).data);
  count = user == NULL;
  mcp_oauth_user_free(user);
  mcp_oauth_guard_free(guard);
  mcp_oauth_error_free(error);
  return count;
}
