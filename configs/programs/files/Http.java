import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;

/** GET / for each line of the input, with a client and its pool: HOST PORT [TIMEOUT] */
public class Http {
	public static void main(String[] args) throws Exception {
		HttpClient.Builder client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1);
		HttpRequest.Builder request =
			HttpRequest.newBuilder(URI.create("http://" + args[0] + ":" + args[1] + "/"));
		if (args.length > 2) {
			Duration limit = Duration.ofSeconds(Long.parseLong(args[2]));
			client.connectTimeout(limit);
			request.timeout(limit);
		}
		HttpClient built = client.build();
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
		while (in.readLine() != null) {
			HttpResponse<String> answer = built.send(request.build(), HttpResponse.BodyHandlers.ofString());
			System.out.println(answer.statusCode() + " " + answer.body().strip());
		}
	}
}
