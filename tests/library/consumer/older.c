/* A host that was built when mcp_oauth_callbacks ended behind `fetch_data`: CONFIG JWKS METADATA TOKEN ->
 * "subject". Its struct ends where readable memory ends, so that a library that read more of it would not
 * come back. */

#define _DEFAULT_SOURCE
#include <mcp_oauth/c.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct callbacks_of_then {
  size_t size;
  mcp_oauth_fetch_fn fetch;
  void* fetch_data;
};

static char** answers;
static int fetched;

static void fetch(void* data, mcp_oauth_fetch* asked) {
  mcp_oauth_text url = mcp_oauth_fetch_url(asked);
  const char* body = strstr(url.data, "/keys") != NULL ? answers[0] : answers[1];
  if (data == &fetched) ++fetched;
  mcp_oauth_fetch_answer(asked, 200, body, strlen(body));
}

int main(int count, char** words) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  char* memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct callbacks_of_then* callbacks;
  mcp_oauth_error* error = NULL;
  mcp_oauth_guard* guard;
  mcp_oauth_user* user = NULL;
  if (count != 5 || memory == MAP_FAILED || mprotect(memory + page, page, PROT_NONE) != 0) return 2;
  answers = words + 2;
  callbacks = (struct callbacks_of_then*)(void*)(memory + page - sizeof(struct callbacks_of_then));
  callbacks->size = sizeof *callbacks;
  callbacks->fetch = fetch;
  callbacks->fetch_data = &fetched;
  guard = mcp_oauth_guard_new(words[1], strlen(words[1]), (const mcp_oauth_callbacks*)(const void*)callbacks,
                              &error);
  if (guard != NULL) user = mcp_oauth_validate(guard, words[4], strlen(words[4]), &error);
  printf("%s %d\n", user != NULL ? mcp_oauth_user_subject(user).data : mcp_oauth_error_text(error).data,
         fetched);
  count = user == NULL;
  mcp_oauth_user_free(user);
  mcp_oauth_guard_free(guard);
  mcp_oauth_error_free(error);
  return count;
}
